package triggers

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// Masked stands for a secret in what people are shown.
const Masked = "***"

// at finds a value of an object by its path, whose parts are joined by dots.
func at(object map[string]any, path string) (any, bool) {
	for {
		first, rest, deeper := strings.Cut(path, ".")
		v, there := object[first]
		if !deeper {
			return v, there
		}
		if object, there = v.(map[string]any); !there {
			return nil, false
		}
		path = rest
	}
}

// withValue is an object with another value at a path that it has; the object itself
// is left alone.
func withValue(object map[string]any, path string, v any) map[string]any {
	object = maps.Clone(object)
	if first, rest, deeper := strings.Cut(path, "."); deeper {
		inner, _ := object[first].(map[string]any)
		object[first] = withValue(inner, rest, v)
	} else {
		object[first] = v
	}
	return object
}

// refuseMasked refuses what is shown where the thing itself is needed.
func refuseMasked(f *Fields, secrets map[string]string) {
	for path, shown := range secrets {
		if v, _ := at(f.raw, path); v == any(shown) && strings.Contains(shown, Masked) {
			f.Refuse(path, graph.CodeBadValue, "is what is shown in place of the secret; give the secret itself")
		}
	}
}

// unmask puts the stored secrets of a trigger where an edit has what is shown of them.
func (m *Manager) unmask(edit, stored map[string]any) map[string]any {
	for path, shown := range m.kinds.secretsOf(stored) {
		if v, there := at(edit, path); there && v == any(shown) {
			secret, _ := at(stored, path)
			edit = withValue(edit, path, secret)
		}
	}
	return edit
}

// secretsOf are the Made.Secrets of a spec.
func (ks Kinds) secretsOf(spec map[string]any) map[string]string {
	name, _ := spec["kind"].(string)
	kind, known := ks[name]
	if !known {
		return nil
	}
	return kind(newFields(spec)).Secrets
}

// Shown is the spec of a trigger as people may see it: its secrets are masked. Of a
// kind that this program doesn't know, nobody can say what is secret; its own fields
// are left out.
func (m *Manager) Shown(t Trigger) json.RawMessage {
	if s := m.keptSecrets(t); s != nil && len(*s) == 0 {
		return t.Spec
	}
	spec, err := decodeObject(t.Spec)
	if err != nil {
		return json.RawMessage("{}")
	}
	if _, known := m.kinds[t.Kind]; !known {
		common := (&Fields{}).commonNames()
		maps.DeleteFunc(spec, func(field string, _ any) bool { return !slices.Contains(common, field) })
	}
	for path, shown := range m.kinds.secretsOf(spec) {
		if _, there := at(spec, path); there {
			spec = withValue(spec, path, shown)
		}
	}
	raw, err := graph.Canonical(spec)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

// keptSecrets are those of a trigger that runs, when it runs with this revision; nil:
// they are not known.
func (m *Manager) keptSecrets(t Trigger) *map[string]string {
	m.mu.RLock()
	k := m.keepers[t.ID]
	m.mu.RUnlock()
	if k == nil || k.revision != t.Revision {
		return nil
	}
	return k.secrets.Load()
}

// maskSettings masks the settings that are secrets.
func maskSettings(settings []Setting, secrets map[string]string) {
	for i := range settings {
		if shown, secret := secrets[settings[i].Field]; secret {
			settings[i].Value = shown
		}
	}
}
