package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/latticed/latticed/store"
)

// What comes from other machines may be kept on a file server that knows no second names
// of files, and assets on a disk of their own.
func TestIncoming_on_a_mount_without_links(t *testing.T) {
	w := newWatcher(t, nil)
	s := newFileServer(w)
	s.start()
	s.mount("disable_hardlink")
	w.stop()
	state := filepath.Join(w.folder("own"), "state")
	w.must(os.Mkdir(state, 0o711))
	w.must(os.Symlink(w.dir, filepath.Join(state, "incoming")))
	assets := filepath.Join(state, "assets")
	w.must(os.Mkdir(assets, 0o700))
	mount(t, assets, "-t", "tmpfs", "-o", "size=16m", "lab")
	st, err := store.Open(t.Context(), state, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for i, want := range []string{"scans/run/a.tif", "scans/run/a~2.tif", "scans/run/a~2.tif"} {
		content := bytes.Repeat([]byte{byte(min(i, 1))}, 100_000)
		sum := sha256.Sum256(content)
		name := hex.EncodeToString(sum[:])
		if u, err := st.PutPiece(t.Context(), store.Piece{SHA256: name, Size: int64(len(content)), Owner: "pc", Body: bytes.NewReader(content)}); err != nil || !u.Complete {
			t.Fatalf("%+v %v", u, err)
		}
		path, err := st.Receive(t.Context(), store.Arrival{Trigger: "scans", Rel: "run/a.tif", SHA256: name, Size: int64(len(content)), Owner: "pc"})
		if err != nil || path != filepath.Join(state, "incoming", want) {
			t.Fatalf("%q %v", path, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s holds %d bytes, %v", path, len(got), err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, ".partial")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
