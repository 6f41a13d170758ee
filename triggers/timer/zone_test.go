package timer

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/triggers"
)

func TestFindZone_asks_the_machine_where_it_tells(t *testing.T) {
	for _, tt := range []struct{ name, env, timezone, localtime, want, from string }{
		{"the_environment_first", "Europe/London", "Europe/Berlin\n", "/usr/share/zoneinfo/Asia/Tokyo", "Europe/London", "this machine (TZ)"},
		{"as_a_path", ":/usr/share/zoneinfo/Europe/London", "", "", "Europe/London", "this machine (TZ)"},
		{"rules_instead_of_a_name_are_passed_over", "CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin\n", "", "Europe/Berlin", "this machine (/etc/timezone)"},
		{"debian", "", "Europe/Berlin\n", "/usr/share/zoneinfo/Asia/Tokyo", "Europe/Berlin", "this machine (/etc/timezone)"},
		{"others", "", "", "../usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo", "this machine (/etc/localtime)"},
		{"nobody_knows", "", "nonsense\n", "/somewhere/else", "UTC", "nothing: this machine doesn't name its zone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			etc := t.TempDir()
			if tt.timezone != "" {
				if err := os.WriteFile(filepath.Join(etc, "timezone"), []byte(tt.timezone), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tt.localtime != "" {
				if err := os.Symlink(tt.localtime, filepath.Join(etc, "localtime")); err != nil {
					t.Fatal(err)
				}
			}
			if name, from := findZone(tt.env, etc); name != tt.want || from != tt.from {
				t.Errorf("%s from %s", name, from)
			}
		})
	}
}

// pain point 49: the zone of the host changes, and naive times with it.
func TestZone_of_the_machine_is_stored_with_the_trigger(t *testing.T) {
	host := hostZone
	defer func() { hostZone = host }()
	inBubble(t, func(t *testing.T, w *world) {
		hostZone = func() (string, string) { return "Europe/Berlin", "this machine (TZ)" }
		tr := w.add(`"cron":"0 2 * * *"`)
		zone := func() any {
			stored, err := w.ledger.Trigger(t.Context(), "t")
			if err != nil {
				t.Fatal(err)
			}
			var spec map[string]any
			if err := json.Unmarshal(stored.Spec, &spec); err != nil {
				t.Fatal(err)
			}
			return spec["timezone"]
		}
		if zone() != "Europe/Berlin" {
			t.Errorf("stored %v", zone())
		}
		w.stop()
		hostZone = func() (string, string) { return "Asia/Tokyo", "this machine (TZ)" }
		w.start()
		sleepTo(t, "2000-01-02T12:00:00Z")
		w.patch(`{"labels":{"a":"b"}}`)
		w.tells(tr.ID, "2000-01-01T02:00:00+01:00 0 fired event", "2000-01-02T02:00:00+01:00 0 fired event")
		if zone() != "Europe/Berlin" {
			t.Errorf("stored %v", zone())
		}
		again := []byte(`{"kind":"time","lattice":"tick","overlap":"allow","inputs":{"at":"${{ event.time }}","missed":"${{ event.missed }}"},"labels":{"a":"b"},"cron":"0 2 * * *"}`)
		if _, _, did, err := w.manager.Put(t.Context(), "t", again, triggers.Principal{}); err != nil || did != triggers.Unchanged {
			t.Errorf("put again what says nothing of a zone: %s, %v", did, err)
		}
		again = bytes.Replace(again, []byte(`"b"`), []byte(`"c"`), 1)
		if _, _, did, err := w.manager.Put(t.Context(), "t", again, triggers.Principal{}); err != nil || did != triggers.Revised || zone() != "Europe/Berlin" {
			t.Errorf("put what says nothing of a zone: %s, %v, %v", did, zone(), err)
		}
		w.patch(`{"timezone":null}`) // asked for
		if zone() != "Asia/Tokyo" {
			t.Errorf("stored %v", zone())
		}
	})
}

func TestZone_says_where_it_is_from(t *testing.T) {
	host := hostZone
	defer func() { hostZone = host }()
	hostZone = func() (string, string) { return "UTC", "nothing: this machine doesn't name its zone" }
	m, err := triggers.Make(Kind, map[string]any{"every": "1m"})
	if err != nil || m.Fill["timezone"] != "UTC" {
		t.Errorf("%v, %v", m.Fill, err)
	}
	if m, err = triggers.Make(Kind, map[string]any{"every": "1m", "timezone": "Asia/Tokyo"}); err != nil || m.Fill != nil {
		t.Errorf("%v, %v", m.Fill, err)
	}
}
