package directory

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestStamp(t *testing.T) {
	t.Run("reads_back_what_it_wrote", rapid.MakeCheck(func(t *rapid.T) {
		s := stamp{
			dev: rapid.Uint64().Draw(t, "dev"), ino: rapid.Uint64().Draw(t, "ino"), size: rapid.Int64().Draw(t, "size"),
			mtime: rapid.Int64().Draw(t, "mtime"), ctime: rapid.Int64().Draw(t, "ctime"),
		}
		if got, err := parseStamp(s.String()); err != nil || got != s {
			t.Fatalf("%v %v, want %v", got, err, s)
		}
	}))

	t.Run("refuses_what_is_none", func(t *testing.T) {
		for _, text := range []string{"", "1.2.3.4", "1.2.3.4.5.6", "x.2.3.4.5", "1.2.3.4."} {
			if s, err := parseStamp(text); err == nil {
				t.Errorf("%q gives %v", text, s)
			}
		}
	})
}

func TestPayload(t *testing.T) {
	tests := []struct{ name, stem, ext string }{
		{"scan.tif", "scan", ".tif"},
		{"a.tar.gz", "a.tar", ".gz"},
		{".bashrc", ".bashrc", ""},
		{"README", "README", ""},
		{"dot.", "dot", "."},
		{"-rf 'x' \"y\" $(z)\n.dat", "-rf 'x' \"y\" $(z)\n", ".dat"},
	}
	for _, tt := range tests {
		raw, err := encodePayload("/in", tt.name, "ready", stamp{size: 7, mtime: 1_700_000_000_123_456_789}, "")
		if err != nil {
			t.Fatal(err)
		}
		var p map[string]any
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"path": "/in/" + tt.name, "name": tt.name, "stem": tt.stem, "ext": tt.ext, "dir": "/in", "rel": tt.name,
			"size": 7.0, "mtime": "2023-11-14T22:13:20.123456Z", "kind": "ready",
		}
		for k, v := range want {
			if p[k] != v {
				t.Errorf("%q: %s is %q, want %q", tt.name, k, p[k], v)
			}
		}
		if len(p) != len(want) {
			t.Errorf("%q: %v", tt.name, p)
		}
	}
}

func TestPayload_invalid_utf8_is_bytes_not_text(t *testing.T) {
	name := "caf\xe9.dat"
	raw, err := encodePayload("/in", name, "closed", stamp{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"path", "name", "stem", "rel"} {
		if v, there := p[field]; there {
			t.Errorf("%s is %q", field, v)
		}
	}
	if p["dir"] != "/in" || p["ext"] != ".dat" {
		t.Errorf("%v", p)
	}
	if b, err := base64.StdEncoding.DecodeString(p["path_b64"].(string)); err != nil || string(b) != "/in/"+name {
		t.Errorf("%q %v", b, err)
	}
	if key := eventKey("/in", name, "closed", stamp{}); key != `/in/caf\xe9.dat#closed@0.0.0.0.0` {
		t.Error(key)
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add("1.2.3.4.5")
	f.Add("-1.0.ffffffffffffffff.-7.x")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseStamp(text)
		if err != nil {
			return
		}
		if again, err := parseStamp(s.String()); err != nil || again != s {
			t.Errorf("%q is %v, then %v %v", text, s, again, err)
		}
	})
}
