package directory

import (
	"encoding/json"
	"path"
	"time"

	"github.com/latticed/latticed/triggers"
)

// maxMembers bounds how many files the event of a set lists. The event of a larger one
// has no members: an expression that needs them makes the firing rejected, with the
// reason.
const maxMembers = 10_000

// unitPayload is `event` for units. Fields that would hold invalid UTF-8 are absent.
type unitPayload struct {
	payload
	Files    int64    `json:"files"`
	Complete bool     `json:"complete"`
	Group    *string  `json:"group,omitempty"`
	Members  []string `json:"members,omitempty"`
	Backfill bool     `json:"backfill,omitempty"`
}

// event makes the event of a unit, if it is wanted.
func (a *units) event(u *unit, wanted bool, kind string, complete bool) []triggers.Event {
	if !wanted {
		return nil
	}
	u.freshen()
	p, err := json.Marshal(a.payload(u, kind, complete))
	if err != nil {
		return nil // texts and numbers always marshal
	}
	return []triggers.Event{{Key: a.eventKey(u, kind), Kind: kind, Payload: p}}
}

// eventKey names an event of a unit: ready by the version of what is in it, so that
// the same is never reported twice, the rest by when it was seen first.
func (a *units) eventKey(u *unit, kind string) string {
	key := keyPath(path.Join(a.dir, a.path(u))) + "#" + kind + "@"
	switch {
	case kind != "ready":
		return key + a.sightOf(u)
	case a.form == eachFile:
		return key + u.stamp.String()
	}
	return key + u.content.String()
}

// onceKey names the one event that a unit may have, whatever becomes of its files.
func (a *units) onceKey(u *unit) string {
	return keyPath(path.Join(a.dir, a.path(u))) + "#ready@" + a.sightOf(u)
}

func (a *units) sightOf(u *unit) string { return time.Unix(0, u.past.first).UTC().Format(timeLayout) }

func (a *units) payload(u *unit, kind string, complete bool) unitPayload {
	p := unitPayload{payload: payloadOf(a.dir, a.path(u), kind, u.bytes, u.latest), Files: u.count, Complete: complete}
	if a.form == aSet {
		p.Group = valid(u.id)
		p.Members = a.memberPaths(u)
	}
	return p
}

// memberPaths lists the files of a set; nil when they can't be listed.
func (a *units) memberPaths(u *unit) []string {
	if u.count > maxMembers {
		return nil
	}
	list := u.members(&a.marks)
	for i, rel := range list {
		full := valid(path.Join(a.dir, rel))
		if full == nil {
			return nil
		}
		list[i] = *full
	}
	return list
}
