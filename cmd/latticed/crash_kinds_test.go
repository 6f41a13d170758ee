package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// kindKills is how often the daemon dies in TestCrash_over_all_kinds.
const kindKills = 120

// The daemon is killed over and over at random moments while files, trees, run
// folders and sets of files arrive, clocks tick, other programs write rows, and senders
// deliver; the database servers are killed too. Each thing has one event, one firing and
// its dispatches, which ran once; so has each end of a dispatch that somebody follows.
// Meanwhile somebody edits, pauses, resumes, retries and backfills, and is cut short by
// the kills; somebody else cancels electrons and redispatches what has ended, reusing
// what is as it was. Pain points 13, 22, 23, 32, 37.
func TestCrash_over_all_kinds(t *testing.T) {
	l := newLife(t)
	for i := range kindKills {
		if i == kindKills/4 {
			l.keepBackup()
		}
		l.die(i)
	}
	want, took := l.finish()
	l.check(want, took)
	l.stop()
	l.checkNothingIsOrphaned(l.kept)
	l.checkNothingWaits()
	l.rows(map[string]int{"SELECT count(*) FROM attempts WHERE status = 'lost'": 0})
	t.Run("and the backup of the middle goes on where it stood", func(t *testing.T) { l.restore(t, want) })
}

// life is a daemon with a trigger of every kind, in a world where something happens to
// each of them.
type life struct {
	*victim
	diary   diary
	kinds   []kindUnderCrash
	servers []mortal
	backup  string // its folder
	began   time.Time
	over    context.CancelFunc // ends what happens all the while
	steers  sync.WaitGroup
	worlds  sync.WaitGroup

	back []time.Duration // how long each start took

	mu   sync.Mutex          // guards what follows, until worlds are done
	want map[string][]string // by trigger, what happened
	kept map[string]bool     // directories of attempts that stay
}

// kindUnderCrash is a trigger of a life and what happens to it meanwhile.
type kindUnderCrash struct {
	name   string
	what   string // the expression that tells what an event is about
	fields map[string]any
	// happen makes things happen while the daemon lives and dies, some of it until ctx
	// ends, and returns what one dispatch each is expected for; nil for clocks.
	happen   func(ctx context.Context) []string
	followed bool // another trigger fires when its dispatches end
}

func newLife(t *testing.T) *life {
	t.Helper()
	v := newVictim(t)
	l := &life{victim: v, diary: diary{filepath.Join(v.dir, "diary")}, want: map[string][]string{}, kept: map[string]bool{}}
	ctx, over := context.WithCancel(context.Background())
	l.over = over
	t.Cleanup(l.worlds.Wait)
	t.Cleanup(over)
	l.kinds = append(l.folderKinds(), l.clockKinds()...)
	l.kinds = append(l.kinds, l.fileOfRows("wal"), l.fileOfRows("delete"), l.postgresRows(), l.mariadbRows())
	l.kinds = append(l.kinds, l.hookKinds()...)
	l.start()
	l.storeNoting(l.diary)
	l.storeSteps()
	for _, k := range l.kinds {
		l.register(k)
	}
	l.began = time.Now()
	for _, k := range l.kinds {
		if k.happen == nil {
			continue
		}
		l.worlds.Go(func() {
			made := k.happen(ctx)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.want[k.name] = made
		})
	}
	return l
}

// die is the i-th death of the daemon, and now and then of a server.
func (l *life) die(i int) {
	l.t.Helper()
	l.steerOne()
	time.Sleep(rand.N(150 * time.Millisecond))
	l.kill()
	for n, s := range l.servers {
		s.live(l.t, i+n*33)
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	began := time.Now()
	l.start()
	l.back = append(l.back, time.Since(began))
}

// finish ends what happens and waits until all of it was dispatched, or a while. It
// returns what is expected by trigger, and how long clocks have ticked.
func (l *life) finish() (want map[string][]string, ticked time.Duration) {
	l.t.Helper()
	for _, s := range l.servers {
		s.revive(l.t)
	}
	l.over()
	l.worlds.Wait()
	l.steers.Wait()
	for _, k := range l.kinds {
		l.steer("POST", "/triggers/"+k.name+"/resume", `{"backlog":"fire"}`)
	}
	ticked = time.Since(l.began)
	for _, k := range l.kinds {
		if k.followed {
			l.want["follow"] = append(l.want["follow"], l.want[k.name]...)
		}
	}
	l.arrive(l.want, ticked)
	slices.Sort(l.back)
	l.t.Logf("it died %d times in %s and was back after %s in the median and %s at most; all was done %s later", len(l.back), ticked, l.back[len(l.back)/2], l.back[len(l.back)-1],
		time.Since(l.began)-ticked)
	return l.want, ticked
}

// arrive waits until as much was dispatched as is wanted, or nothing comes any more: what
// is missing is said by others. Then the clocks are stopped.
func (l *life) arrive(want map[string][]string, ticked time.Duration) {
	l.t.Helper()
	for _, k := range l.kinds {
		n := len(want[k.name])
		if k.happen == nil {
			n = int(ticked / time.Second)
		}
		came, since := len(l.of(k.name)), time.Now()
		for came < n && time.Since(since) < 20*time.Second {
			time.Sleep(100 * time.Millisecond)
			if now := len(l.of(k.name)); now > came {
				came, since = now, time.Now()
			}
		}
		if k.happen == nil {
			var ignored any
			l.call(http.MethodPost, "/triggers/"+k.name+"/pause", nil, &ignored)
		}
	}
}

// steerOne does something to one of the triggers that makes nothing happen that has not
// happened. The kill that comes may cut it short.
func (l *life) steerOne() {
	k := l.kinds[rand.IntN(len(l.kinds))]
	if k.happen == nil {
		return // an edit of a clock begins anew, see the tests of the kind
	}
	path := "/triggers/" + k.name
	l.steers.Go(func() {
		switch rand.IntN(5) {
		case 0:
			l.steer("PATCH", path, fmt.Sprintf(`{"max_in_flight":%d}`, 2+rand.IntN(30)))
		case 1:
			l.steer("POST", path+"/pause", "")
		case 2:
			l.steer("POST", path+"/resume", `{"backlog":"fire"}`)
		case 3:
			l.steer("POST", path+"/retry", "{}")
		case 4:
			l.steer("POST", path+"/backfill", "{}")
		}
	})
}

// storeNoting stores the lattice that most triggers run: it notes itself in the diary.
func (v *victim) storeNoting(d diary) {
	v.t.Helper()
	var ignored any
	v.call(http.MethodPost, "/lattices", map[string]any{
		"lattice":   "note",
		"inputs":    map[string]any{"what": map[string]any{"type": "string"}, "part": map[string]any{"type": "integer", "default": 0}},
		"electrons": map[string]any{"a": d.electron("", nil)},
	}, &ignored)
}

// electron notes itself before and after what it does.
func (d diary) electron(does string, env map[string]any) map[string]any {
	note := func(word string) string {
		return "echo \"" + word + ` $LATTICED_DISPATCH_ID $LATTICED_ELECTRON $LATTICED_ATTEMPT $(date +%s%N)" >> "$DIARY"` + "\n"
	}
	all := map[string]any{"DIARY": d.path}
	for name, v := range env {
		all[name] = v
	}
	return map[string]any{"bash": note("begin") + does + "\n" + note("end"), "env": all, "retries": map[string]any{"lost": 1}}
}

func (v *victim) register(k kindUnderCrash) {
	v.t.Helper()
	k.fields["name"] = k.name
	if k.fields["lattice"] == nil {
		k.fields["lattice"] = "note"
	}
	inputs, _ := k.fields["inputs"].(map[string]any)
	if inputs == nil {
		inputs = map[string]any{}
	}
	inputs["what"] = "${{ " + k.what + " }}"
	k.fields["inputs"] = inputs
	if k.followed {
		k.fields["labels"] = map[string]any{"followed": "yes"}
	}
	var ignored any
	v.call(http.MethodPost, "/triggers", k.fields, &ignored)
}
