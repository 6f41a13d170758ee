package timer

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestKind_says_what_is_wrong(t *testing.T) {
	for fields, want := range map[string]string{
		`"every":"0.5s"`:             `every: must be at least 1s, not 500ms`,
		`"time_gap":-5`:              `time_gap: a duration can't be negative`,
		`"every":"1m","time_gap":60`: `time_gap and every mean the same: give one of them`,
		`"labels":{}`:                `say when: every (such as 10m), time_gap (seconds), cron (such as 0 2 * * *) or at (an instant)`,
		`"every":1,"catch_up":"al"`:  `catch_up: must be one of none, last, all, not "al"; did you mean all?`,
		`"evry":1`:                   `unknown field "evry"; did you mean every?`,

		`"every":"1m","cron":"0 * * * *"`:                `cron: give one of every, time_gap, cron and at, not every and cron`,
		`"cron":"0 2 * * *","at":"2030-01-01T00:00:00Z"`: `at: give one of every, time_gap, cron and at, not cron and at`,
		`"cron":5`:                  `cron: must be text, not a number`,
		`"cron":""`:                 `cron: is missing: write for example 0 2 * * * for 02:00 each day`,
		`"cron":"0 25 * * *"`:       `cron: the hour (field 2 of 5) is wrong: must be between 0 and 23, not 25`,
		`"cron":"@every 500ms"`:     `cron: @every: must be at least 1s, not 500ms`,
		`"cron":"@every soon"`:      `cron: @every: "soon" is not a duration`,
		`"cron":"0 0 30 2 *"`:       `cron: never occurs: no month that it names has such a day`,
		`"cron":"TZ=UTC 0 2 * * *"`: `cron: the zone has a field of its own: leave out TZ= and use timezone`,
		`"cron":"0 2 * * *","timezone":"europe/berlin"`:                           `timezone: "europe/berlin" is not the name of a zone, such as Europe/Berlin or UTC; did you mean Europe/Berlin?`,
		`"cron":"0 2 * * *","timezone":"america/new york"`:                        `did you mean America/New_York?`,
		`"cron":"0 2 * * *","timezone":"utc "`:                                    `timezone: "utc " is not the name of a zone, such as Europe/Berlin or UTC`,
		`"cron":"0 2 * * *","timezone":"Local"`:                                   `timezone: "Local" is not the name of a zone`,
		`"cron":"0 2 * * *","timezone":"../etc/passwd"`:                           `is not the name of a zone`,
		`"cron":"0 2 * * *","timezone":2`:                                         `timezone: must be text, not a number`,
		`"cron":"0 2 * * *","dst":{"gap":"jump"}`:                                 `dst.gap: must be one of shift, skip, not "jump"`,
		`"cron":"0 2 * * *","dst":{"fold":"lost"}`:                                `dst.fold: must be one of first, last, both, not "lost"; did you mean last?`,
		`"cron":"0 2 * * *","dst":{"folds":"last"}`:                               `dst.folds: unknown field "folds"; did you mean fold?`,
		`"cron":"0 2 * * *","dst":"skip"`:                                         `dst: must be an object, not text`,
		`"every":"1m","dst":{"gap":"skip"}`:                                       `dst: means nothing without cron or at: an interval doesn't look at the clock on the wall`,
		`"cron":"0 2 * * *","after":"completion"`:                                 `after: goes with every only: so long after the last dispatch has ended`,
		`"every":"1m","after":"start"`:                                            `after: must be one of completion, not "start"`,
		`"every":"1m","after":"completion","catch_up":"all"`:                      `catch_up: can't be all with after: completion: while nothing runs, one tick is due and no more`,
		`"every":"1m","after":"completion","jitter":"5s"`:                         `jitter: means nothing with after: completion`,
		`"every":"1m","jitter":"2m"`:                                              `jitter: must not be above the time between two instants (1m), not 2m`,
		`"cron":"*/10 * * * *","jitter":"11m"`:                                    `jitter: must not be above the time between two instants (10m), not 11m`,
		`"every":"1m","window":"1s"`:                                              `window: must be at least 1m, not 1s`,
		`"every":"1m","cap":0`:                                                    `cap: must be between 1 and 10000, not 0`,
		`"at":"tomorrow"`:                                                         `at: "tomorrow" is not an instant; write 2026-12-24T18:00:00+01:00, or 2026-12-24T18:00:00 for the clock of the time zone`,
		`"at":["2030-01-01T00:00:00Z","x"]`:                                       `at[1]: "x" is not an instant`,
		`"at":[]`:                                                                 `at: lists no instant; write for example 2026-12-24T18:00:00`,
		`"at":7`:                                                                  `at: must be a list of texts, not a number`,
		`"at":"0001-01-01T00:00:00Z"`:                                             `at: "0001-01-01T00:00:00Z" is too long ago`,
		`"at":"1999-12-31T23:59:59Z"`:                                             `at: 1999-12-31T23:59:59Z is over; give an instant that is still to come, or fire the trigger by hand`,
		`"at":"2026-03-29 02:30","timezone":"Europe/Berlin","dst":{"gap":"skip"}`: `at: the clocks of Europe/Berlin never show 2026-03-29 02:30: they are put forward then, and dst.gap is skip`,
		`"at":[` + strings.Repeat(`"2030-01-01T00:00:00Z",`, 1) + manyInstants(1000) + `]`: `at: may list 1000 instants at most, not 1001; use cron for what repeats`,
	} {
		synctest.Test(t, func(t *testing.T) { // in the year 2000
			w := &world{T: t, ledger: triggertest.NewLedger()}
			w.start()
			defer w.stop()
			w.ledger.AddLattice(tickLattice(t))
			_, _, err := w.manager.Add(t.Context(), []byte(`{"name":"t","kind":"time","lattice":"tick",`+fields+`}`), triggers.Principal{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60s: %v\nwant %s", fields, err, want)
			}
		})
	}
}

func manyInstants(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"`+anchor.AddDate(0, 0, i).Format("2006-01-02T15:04")+`"`)
	}
	return strings.Join(all, ",")
}

func TestKind_says_one_thing_once(t *testing.T) {
	for _, fields := range []map[string]any{{"cron": int64(5)}, {"cron": ""}, {"at": int64(7)}, {"cron": "x"}, {"every": "1m", "cron": "0 2 * * *"}, {"every": "x"}} {
		_, err := triggers.Make(Kind, fields)
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "; at") {
			t.Errorf("%v: %v", fields, err)
		}
	}
}

func TestKind_warns_of_a_window_in_which_not_two_instants_fit(t *testing.T) {
	for _, c := range []struct {
		fields map[string]any
		want   string
	}{
		{map[string]any{"cron": "30 2 * * *", "timezone": "UTC", "catch_up": "all"}, "window is 24h, and from one tick to the next it is 24h; choose a longer window, such as 168h"},
		{map[string]any{"every": "90m", "catch_up": "all", "window": "2h"}, "window is 2h, and from one tick to the next it is 1h30m; choose a longer window, such as 10h30m"},
		{map[string]any{"at": []any{"2030-01-01T00:00:00Z", "2030-02-01T00:00:00Z"}, "catch_up": "all", "jitter": "1h"}, "window is 24h, and from one tick to the next it is 744h"},
		{map[string]any{"every": "12h", "catch_up": "all"}, ""},
		{map[string]any{"cron": "0 2,14 * * *", "timezone": "UTC", "catch_up": "all"}, ""},
		{map[string]any{"cron": "0 2 * * *", "timezone": "UTC", "catch_up": "all", "window": "2d"}, ""},
		{map[string]any{"cron": "0 2 * * *", "timezone": "UTC"}, ""},
		{map[string]any{"at": "2030-01-01T00:00:00Z", "catch_up": "all"}, ""},
	} {
		m, err := triggers.Make(Kind, c.fields)
		got := ""
		for _, w := range m.Warnings {
			got += w.Message
		}
		if err != nil || c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%v: %q %v", c.fields, got, err)
		}
	}
}
