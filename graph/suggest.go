package graph

// Suggest returns the word of known that the writer of word most likely meant, or
// "" when none is near. Case, dashes and underscores hardly count.
func Suggest(word string, known []string) string {
	const longest, most = 64, 5000
	known = known[:min(len(known), most)]
	if word == "" || len(word) > longest {
		return ""
	}
	// One slip in short words, two from five letters on, three from nine.
	best, bestDistance := "", min((len(word)+3)/4, 3)+1
	folded := fold(word)
	const separators = 8 // that folding may take away
	for _, k := range known {
		if k == word {
			return ""
		}
		if len(k) > longest || max(len(k)-len(word), len(word)-len(k)) > bestDistance+separators {
			continue
		}
		if d := distance(folded, fold(k), bestDistance); d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	if best != "" {
		return best
	}
	return suggestByPrefix(folded, known)
}

// suggestByPrefix finds the only word that begins as what was typed does: retry and
// retries, mem and memory.
func suggestByPrefix(folded string, known []string) string {
	const shortest = 3
	found := ""
	for _, k := range known {
		f := fold(k)
		n := 0
		for n < min(len(f), len(folded)) && f[n] == folded[n] {
			n++
		}
		if n < shortest || n < min(len(f), len(folded)) && n < shortest+1 {
			continue
		}
		if found != "" {
			return ""
		}
		found = k
	}
	return found
}

// didYouMean is the end of a message, or empty.
func didYouMean(word string, known []string) string {
	if s := Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}

// fold drops what people mix up: case, dashes and underscores.
func fold(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '-' || c == '_':
		case c >= 'A' && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b, both of at most 64 bytes. It gives up when it reaches limit.
func distance(a, b string, limit int) int {
	var rows [3][65]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return least
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
