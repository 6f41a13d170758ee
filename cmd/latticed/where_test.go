package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestWhere(t *testing.T) {
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"lattice=fit"}, `{"lattice":"fit"}`},
		{[]string{"status=failed,cancelled,lattice=fit"}, `{"status":["failed","cancelled"],"lattice":"fit"}`},
		{[]string{"status=failed", "status=cancelled"}, `{"status":["failed","cancelled"]}`},
		{[]string{"label=why=a,b,owner=ada"}, `{"label":{"why":"a,b"},"owner":"ada"}`},
		{[]string{`label=why=a\,lattice=b,label=x=y`}, `{"label":{"why":"a,lattice=b","x":"y"}}`},
		{[]string{"label=why=k=v,w=x"}, `{"label":{"why":"k=v,w=x"}}`},
		{[]string{"q=one, two"}, `{"q":"one, two"}`},
		{[]string{"input.bins=64,input.image=/a,b.tif"}, `{"input":{"bins":"64","image":"/a,b.tif"}}`},
		{[]string{"since=2026-03-01T12:00:00Z,parent=7,trigger=t,until=2026-03-02T12:00:00Z"}, `{"trigger":"t","parent":"7","since":"2026-03-01T12:00:00Z","until":"2026-03-02T12:00:00Z"}`},
	} {
		w, err := readWhere(test.words)
		if err != nil {
			t.Errorf("%q: %v", test.words, err)
			continue
		}
		got, err := json.Marshal(w)
		if err != nil || string(got) != test.want {
			t.Errorf("%q\n got %s\nwant %s", test.words, got, test.want)
		}
	}
	t.Run("a_duration_is_how_long_ago", func(t *testing.T) {
		w, err := readWhere([]string{"since=2h"})
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, w.Since)
		if ago := time.Since(at) - 2*time.Hour; err != nil || ago < 0 || ago > time.Minute {
			t.Errorf("%s %v", w.Since, err)
		}
	})
	for words, want := range map[string]string{
		"":                     "write NAME=VALUE",
		"fit":                  "write NAME=VALUE",
		"statu=failed":         "did you mean status?",
		"lattice=a,statu=b":    "did you mean status?",
		"status=failed,x=b":    "write NAME=VALUE",
		"lattice=":             "the value is empty",
		"label=x":              "write label=KEY=VALUE",
		"since=soon":           "--where since soon: write an instant",
		"lattice=a,lattice=b":  "it is given twice",
		"input.=a":             "write NAME=VALUE",
		"input.a=1,input.a=2":  "it is given twice",
		"status=failed,,owner": "the value is empty",
	} {
		if _, err := readWhere([]string{words}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", words, err)
		}
	}
}
