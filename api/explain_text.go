package api

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/latticed/latticed/triggers"
)

// when shows an instant to people; who asks may sit in any zone.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// show is a path in a sentence; one that could be taken for more of it is quoted.
func show(path string) string {
	plain := func(r rune) bool {
		return r != unicode.ReplacementChar && r != '"' && unicode.IsGraphic(r) && !unicode.IsSpace(r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return strconv.Quote(path)
}

// harmless shows what a sentence has taken over from files, such as the names in a list,
// so that it steers no terminal.
func harmless(said string) string {
	var b strings.Builder
	for _, r := range said {
		if unicode.IsGraphic(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// pathSentence answers why a file did or did not run with one trigger.
func pathSentence(path string, t triggers.Trigger, f triggers.Finding, st story) string {
	name := show(filepath.Base(path))
	var b strings.Builder
	switch {
	case f.State != triggers.FindingReported:
		b.WriteString(name + " " + standing(path, f, len(st) > 0))
		if len(st) > 0 {
			b.WriteString("; it was " + st[0].outcome())
		}
	case len(st) > 0:
		if f.Unit != "" && f.Unit != path {
			name += " is part of " + show(f.Unit) + ", which"
		}
		b.WriteString(name + " was " + st[0].outcome())
	default:
		b.WriteString(name + " was reported; what came of it is no longer kept")
	}
	if len(st) > 1 {
		b.WriteString("; other events came before")
	}
	if open := f.State != triggers.FindingReported || len(st) > 0 && st[0].firing == nil; open {
		b.WriteString(doing(t))
	}
	return b.String()
}

// standing says what a source knows of a path that has made no event in its present
// version.
func standing(path string, f triggers.Finding, before bool) string {
	var said string
	switch f.State {
	case triggers.FindingAbsent:
		said = "is not there, and was never seen"
		if before || !f.FirstSeen.IsZero() {
			said = "is not there now"
		}
		if f.Detail == "it is not there" {
			return said
		}
		return said + because(f.Detail)
	case triggers.FindingIgnored:
		return "is left out" + because(f.Detail)
	case triggers.FindingExisting:
		said = "was there before the trigger, and makes no event"
		if strings.HasSuffix(f.Detail, "before the trigger") {
			return said
		}
		return said + because(f.Detail)
	case triggers.FindingUnseen:
		return "was not looked at yet" + because(f.Detail)
	case triggers.FindingSettling:
		said = history(f) + "is not quiet yet"
		if !f.Until.IsZero() {
			said += ": ready at " + when(f.Until)
			if f.Detail != "" {
				said += " (" + f.Detail + ")"
			}
			return said
		}
	case triggers.FindingWaiting:
		said = history(f) + "waits"
		switch f.Unit {
		case "":
		case path:
			said = history(f) + "is not complete"
		default:
			said = "is part of " + show(f.Unit) + ", which " + history(f) + "is not complete"
		}
		if said += because(f.Detail); !f.Until.IsZero() {
			said += " (until " + when(f.Until) + ")"
		}
		return said
	default:
		said = "is " + f.State
	}
	return said + because(f.Detail)
}

// history is when a file came and grew, as the beginning of what is said of it.
func history(f triggers.Finding) string {
	switch {
	case f.FirstSeen.IsZero() && f.LastChange.IsZero():
		return ""
	case f.LastChange.IsZero() || when(f.LastChange) == when(f.FirstSeen):
		return "was seen first at " + when(f.FirstSeen) + " and "
	case f.FirstSeen.IsZero():
		return "last grew or changed at " + when(f.LastChange) + " and "
	}
	return "was seen first at " + when(f.FirstSeen) + ", last grew or changed at " + when(f.LastChange) + " and "
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}

// doing says what of the trigger itself holds things up.
func doing(t triggers.Trigger) string {
	switch t.State {
	case triggers.Paused:
		return "; the trigger is paused" + because(t.Reason) + ", events are held until it is resumed"
	case triggers.Failing, triggers.Degraded:
		return fmt.Sprintf("; the trigger is %s%s", t.State, because(t.Reason))
	case triggers.Preparing:
		return "; the trigger is still taking its baseline"
	case triggers.Active:
	}
	return ""
}
