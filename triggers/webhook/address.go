package webhook

import (
	"crypto/subtle"
	"encoding/json"

	"github.com/latticed/latticed/triggers"
)

// Address is where a trigger is delivered to.
type Address struct {
	Path string   // of the URL
	Auth []string // what a delivery needs: path, signature, token
}

// written are the fields of a spec that say where a trigger is delivered to.
type written struct {
	Name      string          `json:"name"`
	Path      string          `json:"path_secret"`
	Signature json.RawMessage `json:"signature"`
	Tokens    bool            `json:"tokens"`
}

// AddressOf reads the address of a trigger from its stored spec.
func AddressOf(spec json.RawMessage) (a Address, err error) {
	var w written
	if err := json.Unmarshal(spec, &w); err != nil {
		return a, err
	}
	a.Path = "/v1/hooks/" + w.Name
	if w.Path != "" {
		a.Path, a.Auth = "/v1/hooks/"+w.Path, append(a.Auth, "path")
	}
	if w.Signature != nil {
		a.Auth = append(a.Auth, "signature")
	}
	if w.Tokens {
		a.Auth = append(a.Auth, "token")
	}
	return a, nil
}

// Doors are those of a stored trigger, whether its source runs or not: of one that does not
// the hub knows nothing. It is triggers.Options.Doors.
func Doors(kind, id, name string, spec json.RawMessage) []triggers.Door {
	var w written
	if kind != Name || json.Unmarshal(spec, &w) != nil {
		return nil
	}
	if w.Path != "" {
		return []triggers.Door{secretDoor(w.Path)}
	}
	return []triggers.Door{nameDoor(name), nameDoor(id)}
}

// DoorsAt are those that a path may be of.
func DoorsAt(to string) []triggers.Door { return []triggers.Door{secretDoor(to), nameDoor(to)} }

// Leads tells whether a path leads to a trigger, by what is stored of it.
func Leads(to, id, name string, spec json.RawMessage) bool {
	var w written
	if json.Unmarshal(spec, &w) != nil {
		return false
	}
	if w.Path != "" {
		return subtle.ConstantTimeCompare([]byte(to), []byte(w.Path)) == 1
	}
	return to == name || to == id
}
