package graph

import "strings"

// Suggest returns the word of known that the writer of word most likely meant, or
// "" when none is near. Case, dashes and underscores hardly count.
func Suggest(word string, known []string) string {
	const longest = 64
	if word == "" || len(word) > longest {
		return ""
	}
	// One slip in short words, two from five letters on, three from nine.
	best, bestDistance := "", min((len(word)+3)/4, 3)+1
	folded := fold(word)
	for _, k := range known {
		if k == word {
			return ""
		}
		if len(k) > longest {
			continue
		}
		if d := distance(folded, fold(k)); d < bestDistance && d < len(k) {
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

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// distance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
