package triggers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestDescribed(t *testing.T) {
	known := graph.Env{"path": graph.String, "n": graph.Integer, "row": graph.Env{"sample": graph.Any, "volts": graph.Any}}
	withRows := func(m *triggers.Made) {
		m.Event = graph.Env{"path": graph.String, "n": graph.Integer, "row": graph.Object}
	}
	const misspelt = `event.row has no sampel; did you mean sample?`

	t.Run("an_expression_that_names_what_events_do_not_have_is_refused_where_it_stands", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.event, w.feed.caveats = known, []graph.Warning{{Code: "no_index", Message: "slow"}}
			w.made = withRows
			for field, text := range map[string]string{
				"inputs.n":   `"inputs": {"n": "${{ event.row.sampel }}"}`,
				"when":       `"when": "${{ event.row.sampel == 'A' }}"`,
				"dedupe_key": `"dedupe_key": "${{ event.row['sampel'] }}"`,
				"labels.run": `"labels": {"run": "run ${{ event.row.sampel }}"}`,
			} {
				_, _, err := w.manager.Add(t.Context(), spec(text), triggers.Principal{})
				if err == nil || !strings.Contains(err.Error(), field+": ") || !strings.Contains(err.Error(), misspelt) {
					t.Errorf("%s: %v", field, err)
				}
			}
			w.add(`"inputs": {"n": "${{ event.n }}"}, "when": "${{ 'sample' in event.row and event.row?.volts == nil }}"`)
			pv, err := w.manager.Preview(t.Context(), []byte(strings.Replace(string(spec(`"inputs": {"n": "${{ event.n }}"}`)), `"t"`, `"u"`, 1)))
			if err != nil || len(pv.Warnings) == 0 || pv.Warnings[len(pv.Warnings)-1].Code != "no_index" {
				t.Errorf("%v, %v", pv.Warnings, err)
			}
		})
	})

	t.Run("so_is_an_edit_and_what_can_not_be_seen_keeps_nobody_from_one", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.feed.event = known
			w.made = withRows
			w.add(`"inputs": {"n": "${{ event.n }}"}`)
			const edit = `{"inputs": {"n": "${{ event.row.sampel }}"}}`
			if _, _, err := w.manager.Patch(t.Context(), "t", []byte(edit), triggers.Principal{}); err == nil || !strings.Contains(err.Error(), misspelt) {
				t.Errorf("%v", err)
			}
			w.feed.checks, w.feed.event = errors.New("it is away"), nil
			w.patch(edit)
		})
	})

	t.Run("a_source_learns_that_its_events_do_not_fit_any_more", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.made = withRows
			w.feed.runsWith = known
			w.add(`"inputs": {"n": "${{ event.n }}"}, "when": "${{ event.row.sample != nil }}"`)
			w.expectState("active")
			w.feed.runsWith = graph.Env{"path": graph.String, "n": graph.Integer, "row": graph.Env{"name": graph.Any}}
			w.restart()
			if got := w.state(); !strings.Contains(got, "failing the trigger does not fit any more: when: ") || !strings.Contains(got, "event.row has no sample; it has name") {
				t.Error(got)
			}
		})
	})
}
