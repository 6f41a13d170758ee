package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

const (
	manifestName = "manifest.json" // the last file of a backup: without it nothing is whole
	manifestForm = 1
)

// Manifest lists what a backup holds.
type Manifest struct {
	Format    int          `json:"format"`
	CreatedAt time.Time    `json:"created_at"` // when the snapshot was taken
	Version   string       `json:"version"`    // of the program that made it
	Files     []BackupFile `json:"files"`      // without the manifest itself
	SHA256    string       `json:"sha256"`     // of the manifest without it
}

// BackupFile is one file of a backup; its name has slashes.
type BackupFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// sealed is the text of the manifest, with its own hash: no byte of it can change without
// being noticed.
func (m Manifest) sealed() ([]byte, error) {
	m.SHA256 = ""
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	m.SHA256 = hex.EncodeToString(sum[:])
	return json.MarshalIndent(m, "", " ")
}

func readManifest(dir string) (Manifest, error) {
	var m Manifest
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return m, errors.New("there is no such folder")
		}
		return m, damaged(manifestName, "is missing: this is no backup, or not a whole one")
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, damaged(manifestName, "can't be read: %v", err)
	}
	if m.Format != manifestForm {
		return m, damaged(manifestName, "has format %d, which is not known here; a newer latticed made it", m.Format)
	}
	if again, err := m.sealed(); err != nil || !bytes.Equal(again, text) {
		return m, damaged(manifestName, "was changed: it is not what its own SHA-256 says")
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		_, err := hex.DecodeString(f.SHA256)
		if !known(f.Name) || seen[f.Name] || len(f.SHA256) != 2*sha256.Size || err != nil || f.Size < 0 {
			return m, damaged(manifestName, "has an entry %q that makes no sense", f.Name)
		}
		seen[f.Name] = true
	}
	return m, nil
}

// known tells names that a backup may have: none leads out of it.
func known(name string) bool {
	if name == databaseName {
		return true
	}
	base := path.Base(name)
	_, err := hash(base)
	return err == nil && name == path.Join("assets", base[:2], base)
}
