package triggers

import (
	"fmt"

	"github.com/latticed/latticed/graph"
)

func didYouMean(word string, known []string) string {
	if s := graph.Suggest(word, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}

// show puts a value into a message, cut when long.
func show(v any) string {
	const longest = 60
	if s, ok := v.(string); ok {
		if r := []rune(s); len(r) > longest {
			return fmt.Sprintf("%q…", string(r[:longest]))
		}
		return fmt.Sprintf("%q", s)
	}
	return describe(v)
}

// describe names the type of a JSON value for people.
func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	}
	return "an object"
}
