package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestFlags_say_what_they_take_in_words(t *testing.T) {
	known := []string{"", "bool", "duration", fieldText, fieldExpr, fieldInt, fieldList, fieldPath, fieldTime, fieldSize, fieldJSON, fieldAny}
	walk(newRoot(&cli{}), func(cmd *cobra.Command) {
		check := func(f *pflag.Flag) {
			if word := f.Value.Type(); !slices.Contains(known, word) {
				t.Errorf("%s --%s takes a %s", cmd.CommandPath(), f.Name, word)
			}
		}
		cmd.Flags().VisitAll(check)
		if usage := cmd.Flags().FlagUsages(); strings.Contains(usage, "default []") {
			t.Errorf("%s says that lists are empty:\n%s", cmd.CommandPath(), usage)
		}
		cmd.PersistentFlags().VisitAll(check)
	})
}
