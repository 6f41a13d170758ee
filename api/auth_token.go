package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// The text of a token is ltd_ID_SECRET: its id, a UUID without dashes, by which it is
// found, and 256 random bits.
const (
	tokenPrefix  = "ltd_"
	tokenID      = 32 // hex digits
	tokenSecret  = 43 // of base64url
	tokenTextLen = len(tokenPrefix) + tokenID + 1 + tokenSecret
)

// newTokenText makes the text of a new token and its id.
func newTokenText() (text, id string, err error) {
	u, err := uuid.NewV7()
	if err != nil {
		return "", "", err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	return tokenPrefix + hex.EncodeToString(u[:]) + "_" + base64.RawURLEncoding.EncodeToString(secret[:]), u.String(), nil
}

// idOfToken reads the id out of a token's text; ok is false when it can't be one.
func idOfToken(text string) (id string, ok bool) {
	if len(text) != tokenTextLen || !strings.HasPrefix(text, tokenPrefix) || text[len(tokenPrefix)+tokenID] != '_' {
		return "", false
	}
	return dashed(text[len(tokenPrefix) : len(tokenPrefix)+tokenID])
}

// dashed reads an id in its short form, 32 hex digits in lower case.
func dashed(short string) (id string, ok bool) {
	var u uuid.UUID
	if len(short) != tokenID || strings.ToLower(short) != short {
		return "", false
	}
	if _, err := hex.Decode(u[:], []byte(short)); err != nil {
		return "", false
	}
	return u.String(), true
}

// hashOfToken is what is kept of a token, and the key of its owner's signatures.
func hashOfToken(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
