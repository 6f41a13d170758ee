package webhook

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"github.com/latticed/latticed/triggers"
)

// awhile is how long a source that has just left is remembered: an edit puts another in
// its place within that time.
const awhile = 5 * time.Second

// Hub brings deliveries to the triggers they are for. Make it with New.
type Hub struct {
	place Place

	mu    sync.RWMutex
	sides map[door]*source
	left  map[door]departed
}

// door is what is written in the path of a request: a name or an id, or the hash of a
// secret. A secret is looked up by its hash, so that the time that takes tells nothing.
type door = triggers.Door

func secretDoor(secret string) door { return sha256.Sum256([]byte("secret " + secret)) }
func nameDoor(name string) door     { return sha256.Sum256([]byte("name " + name)) }

// departed is a source that does not run any more.
type departed struct {
	trigger string
	at      time.Time
}

// New makes a hub. place puts files that come with deliveries where they belong; nil:
// none come.
func New(place Place) *Hub {
	return &Hub{place: place, sides: map[door]*source{}, left: map[door]departed{}}
}

// enter makes a source that runs known. A door that another trigger has is its own.
func (h *Hub) enter(s *source, trigger string) error {
	doors := s.doors(trigger)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range doors {
		if o := h.sides[d]; o != nil && o != s && o.trigger != trigger {
			return errTaken
		}
	}
	if s.trigger == "" { // else somebody may be reading it
		s.trigger = trigger
	}
	for _, d := range doors {
		h.sides[d] = s
		delete(h.left, d)
	}
	return nil
}

// leave forgets a source that does not run any more.
func (h *Hub) leave(s *source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(h.left, func(_ door, d departed) bool { return now.Sub(d.at) > awhile })
	for _, d := range s.doors(s.trigger) {
		if h.sides[d] == s {
			delete(h.sides, d)
			h.left[d] = departed{s.trigger, now}
		}
	}
}

// find returns the source behind a path; hidden says that the path is its secret. When
// there is none, left is the trigger (id) whose source was there a moment ago, if any.
func (h *Hub) find(to string) (s *source, hidden bool, left string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, d := range []door{secretDoor(to), nameDoor(to)} {
		if s := h.sides[d]; s != nil {
			return s, d == secretDoor(to), ""
		}
		if l, ok := h.left[d]; ok && left == "" && time.Since(l.at) <= awhile {
			left = l.trigger
		}
	}
	return nil, false, left
}

// Kind is the kind "webhook".
func (h *Hub) Kind(f *triggers.Fields) triggers.Made { return h.kind(f) }
