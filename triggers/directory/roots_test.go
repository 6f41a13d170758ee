package directory

import (
	"os"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers"
)

func TestRoots(t *testing.T) {
	t.Run("what_is_outside_is_refused_at_registration", func(t *testing.T) {
		w := newWorld(t)
		base := t.TempDir()
		w.mkdir(base + "/data/in")
		w.mkdir(base + "/database")
		w.must(os.Symlink(base+"/database", base+"/data/way-out"))
		w.must(os.Symlink(base+"/data/in", base+"/way-in"))
		w.must(os.WriteFile(base+"/secret", nil, 0o600))
		h := &hub{roots: []string{"/nowhere", base + "/data"}}
		for path, ok := range map[string]bool{
			base + "/data": true, base + "/data/in": true, base + "/way-in": true,
			base: false, base + "/database": false, base + "/data/way-out": false, base + "/data/../database": false, base + "/secret": false,
		} {
			made, err := triggers.Make(h.make, map[string]any{"dir_path": path})
			w.must(err)
			err = made.Source.(*source).Check(t.Context())
			if (err == nil) != ok {
				t.Errorf("%s: %v", path, err)
			}
			if err != nil && (!strings.Contains(err.Error(), "allowed are /nowhere, "+base+"/data") || !strings.Contains(err.Error(), "[paths] watch")) {
				t.Errorf("%s: %v", path, err)
			}
		}
	})

	t.Run("a_change_of_the_configuration_shows_at_start", func(t *testing.T) {
		w := newWorld(t)
		w.add(`,"event_names":["closed"]`)
		w.stop()
		w.hub = &hub{roots: []string{t.TempDir()}}
		w.write("a.dat", "1")
		w.start()
		w.trigger(triggers.Failing, "not below a folder that triggers may look into; allowed are "+w.hub.roots[0])
		w.stop()
		w.hub = &hub{roots: []string{t.TempDir(), w.dir}}
		w.start()
		w.trigger(triggers.Active, "")
		w.revise(`{"settle":"50ms"}`)
		w.expect("closed a.dat")
	})

	t.Run("a_link_that_leads_out_later_shows", func(t *testing.T) {
		w := newWorld(t)
		outside := t.TempDir()
		link := w.path("link")
		w.mkdir(w.path("real"))
		w.must(os.Symlink(w.path("real"), link))
		root := w.dir
		w.stop()
		w.hub = &hub{roots: []string{root}}
		w.start()
		w.dir = link
		w.add(`,"event_names":["closed"]`)
		w.write("a.dat", "1")
		w.expect("closed a.dat")
		w.must(os.Remove(link))
		w.must(os.Symlink(outside, link))
		w.must(os.RemoveAll(root + "/real")) // which makes it look again
		w.trigger(triggers.Failing, "may look into")
	})

	t.Run("a_link_to_a_file_is_refused_because_it_is_not_followed", func(t *testing.T) {
		w := newWorld(t)
		w.write("one.dat", "1")
		w.must(os.Symlink(w.path("one.dat"), w.path("link.dat")))
		made, err := triggers.Make(w.hub.make, map[string]any{"dir_path": w.path("link.dat")})
		w.must(err)
		if err := made.Source.(*source).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "name the file itself") {
			t.Error(err)
		}
	})
}
