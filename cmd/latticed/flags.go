package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagWords says what a flag takes, for people.
var flagWords = map[string]string{
	"string": fieldText, "int": fieldInt, "int64": fieldInt, "stringArray": fieldList, "stringSlice": fieldList,
}

// sayTypes shows the types of flags in --help by words of people.
func sayTypes(cmd *cobra.Command) {
	say := func(f *pflag.Flag) {
		word, ok := flagWords[f.Value.Type()]
		if !ok {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			f.Value = saidList{saidFlag{f.Value, word}, list}
			if f.DefValue == "[]" {
				f.DefValue = "" // is not said
			}
		} else {
			f.Value = saidFlag{f.Value, word}
		}
	}
	cmd.Flags().VisitAll(say)
	cmd.PersistentFlags().VisitAll(say)
}

// saidFlag is a flag's value whose type is called otherwise.
type saidFlag struct {
	pflag.Value
	word string
}

func (f saidFlag) Type() string { return f.word }

// saidList is one that is given several times.
type saidList struct {
	saidFlag
	pflag.SliceValue
}
