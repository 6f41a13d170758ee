package database

import (
	"errors"
	"fmt"
	"strings"
)

// enclosed is an owner's condition as a part of a statement. The line break ends a
// comment at its end.
func enclosed(clause string) string { return "(" + clause + "\n)" }

// checkClause refuses what is not one condition: what ends the statement, or opens or
// closes more than it has. It knows quotes and comments as all engines have them; the
// rest is the engine's to refuse. It is no wall: clauses are the owner's SQL, and the
// connection only reads.
func checkClause(clause string) error {
	if strings.TrimSpace(clause) == "" {
		return errors.New("is empty")
	}
	depth := 0
	for rest := clause; rest != ""; {
		n, err := quoted(rest)
		switch c := rest[0]; {
		case err != nil:
			return err
		case n > 0:
			rest = rest[n:]
			continue
		case c == 0:
			return errors.New("has a zero byte in it")
		case c == ';':
			return errors.New("has a ; in it: a clause is one condition, such as status = 'done'")
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return errors.New("closes a parenthesis that it has not opened")
			}
		}
		rest = rest[1:]
	}
	if depth > 0 {
		return errors.New("opens a parenthesis that it does not close")
	}
	return nil
}

// quoted is the length of the quoted text or comment that s begins with; 0: none.
func quoted(s string) (int, error) {
	switch {
	case strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			return i, nil
		}
		return len(s), nil
	case strings.HasPrefix(s, "/*"):
		if i := strings.Index(s[2:], "*/"); i >= 0 {
			return i + 4, nil
		}
		return 0, errors.New("has a comment that does not end")
	case s[0] == '\'' || s[0] == '"' || s[0] == '`':
		if i := strings.IndexByte(s[1:], s[0]); i >= 0 { // a doubled quote is two texts side by side
			return i + 2, nil
		}
		return 0, fmt.Errorf("has a %c that is not closed", s[0])
	}
	return 0, nil
}

// whims are words of functions whose value changes though no row does.
var whims = []string{"now", "current", "random", "rand", "date", "time", "julian", "epoch", "changes", "age", "clock", "uuid"}

// steady tells whether clauses say the same of a row as long as it stays the same, as
// far as can be seen.
func steady(clauses []string) bool {
	for _, c := range clauses {
		c = strings.ToLower(c)
		for _, w := range whims {
			if i := strings.Index(c, w); i >= 0 && strings.ContainsAny(c[i:], "(_") {
				return false
			}
		}
	}
	return true
}
