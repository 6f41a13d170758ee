package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/latticed/latticed/api/client"
	"github.com/latticed/latticed/triggers"
)

// What became of a file that was to be sent: the field upload of the event.
const (
	sentWhole      = "done"
	sentGone       = "gone"       // it was removed before
	sentChanging   = "changing"   // it did not stand still; its next version is an event of its own
	sentUnreadable = "unreadable" // we may not read it, or its disk can't
	sentTooLarge   = "too_large"  // for the daemon
)

// pieceSize is how much of a file goes in one request.
const pieceSize = 8 << 20

// fileTries is how often a file is tried that can't be sent, before its event goes
// without it.
const fileTries = 6

// sent is what became of a file.
type sent struct {
	how    string
	sha256 string
	size   int64
}

// fileError means that a file can't be sent for now, which has nothing to do with the
// daemon.
type fileError struct {
	how string // what it is if that stays so
	err error
}

func (e *fileError) Error() string { return e.err.Error() }

func (e *fileError) Unwrap() error { return e.err }

// hashed is the SHA-256 of one version of a file, so that a large file isn't read again
// for each break of the network.
type hashed struct {
	stamp  stamp
	sha256 string
}

// stamp is the version of a file.
type stamp struct {
	dev, ino           uint64
	size, mtime, ctime int64
}

func stampOf(info fs.FileInfo) stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{size: info.Size(), mtime: info.ModTime().UnixNano()}
	}
	return stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()} //nolint:unconvert // Dev is 32 bits wide elsewhere
}

// send uploads a file. What is wrong with the file itself is tried some times; then the
// event goes without it, and says so.
func (c *carrier) send(ctx context.Context, api *client.Client, path string) (sent, error) {
	s, err := c.sendFile(ctx, api, path)
	var file *fileError
	if !errors.As(err, &file) {
		return s, err
	}
	if c.tries++; file.how == sentGone && c.stands(path) || file.how != sentGone && c.tries >= fileTries {
		c.log.Warn().Str("path", path).Str("upload", file.how).Err(err).Msg("the file is not sent")
		return sent{how: file.how}, nil
	}
	return s, err
}

// sentBefore says of a file that may have been sent with its event that it was: the daemon
// knows the event, or asks for the file. So its bytes don't go twice when only an answer
// was lost.
func (c *carrier) sentBefore(ctx context.Context, path string) (sent, bool) {
	if !c.unsure {
		return sent{}, false
	}
	f, err := openFile(path)
	if err != nil {
		return sent{}, false // which is said when it is to be sent
	}
	defer f.Close()
	v, err := c.hash(ctx, f)
	return sent{sentWhole, v.sha256, v.stamp.size}, err == nil
}

// sendFile uploads one version of a file.
func (c *carrier) sendFile(ctx context.Context, api *client.Client, path string) (sent, error) {
	f, err := openFile(path)
	if err != nil {
		return sent{}, err
	}
	defer f.Close()
	v, err := c.hash(ctx, f)
	if err != nil {
		return sent{}, err
	}
	s := sent{sentWhole, v.sha256, v.stamp.size}
	err = sendPieces(ctx, api, f, s)
	var no *client.Refused
	if errors.As(err, &no) {
		switch no.Code {
		case "too_large":
			return sent{how: sentTooLarge}, nil
		case "wrong_hash":
			c.hashed = hashed{}
			return sent{}, changing(path)
		}
	}
	if err != nil {
		return sent{}, err
	}
	if info, err := os.Lstat(path); err != nil || stampOf(info) != v.stamp {
		c.hashed = hashed{}
		return sent{}, changing(path)
	}
	return s, nil
}

func changing(path string) error {
	return &fileError{sentChanging, fmt.Errorf("%s changes while it is sent", path)}
}

// openFile opens a regular file; a pipe would wait for its writer.
func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, &fileError{sentGone, err}
	case err != nil:
		return nil, &fileError{sentUnreadable, err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file any more", path)
	}
	if err != nil {
		f.Close()
		return nil, &fileError{sentGone, err}
	}
	return f, nil
}

// hash reads a file as it is now.
func (c *carrier) hash(ctx context.Context, f *os.File) (hashed, error) {
	info, err := f.Stat()
	if err != nil {
		return hashed{}, &fileError{sentUnreadable, err}
	}
	v := hashed{stamp: stampOf(info)}
	if c.hashed.sha256 != "" && c.hashed.stamp == v.stamp {
		return c.hashed, nil
	}
	h := sha256.New()
	n, err := io.Copy(h, &untilDone{ctx, f})
	if ctx.Err() != nil {
		return hashed{}, context.Cause(ctx)
	}
	if err != nil {
		return hashed{}, &fileError{sentUnreadable, err}
	}
	info, err = f.Stat()
	if err != nil || stampOf(info) != v.stamp || n != v.stamp.size {
		return hashed{}, changing(f.Name())
	}
	v.sha256 = hex.EncodeToString(h.Sum(nil))
	c.hashed = v
	return v, nil
}

// untilDone ends a copy when its context does.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (r *untilDone) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// sendPieces uploads what the daemon doesn't have of a file.
func sendPieces(ctx context.Context, api *client.Client, f *os.File, s sent) error {
	received, complete, err := received(ctx, api, s)
	if err != nil || complete {
		return err
	}
	buf := make([]byte, min(pieceSize, max(s.size-received, 0)))
	for {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), s.size-received)], received)
		if err != nil && !errors.Is(err, io.EOF) {
			return &fileError{sentUnreadable, err}
		}
		if n == 0 && received < s.size {
			return changing(f.Name()) // it was cut off
		}
		within, stop := context.WithTimeout(ctx, answerTime(s.size))
		a, err := api.PutPiece(within, s.sha256, s.size, received, buf[:n])
		stop()
		if err != nil {
			return err
		}
		if a.Value.Complete {
			return nil
		}
		if a.Value.Received <= received {
			return fmt.Errorf("the daemon has taken nothing of a piece of %s", f.Name())
		}
		received = a.Value.Received
	}
}

// received is how much the daemon has of a file.
func received(ctx context.Context, api *client.Client, s sent) (n int64, complete bool, err error) {
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	a, err := api.Upload(ctx, s.sha256)
	var no *client.Refused
	switch {
	case errors.As(err, &no) && no.Code == "not_found":
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case a.Value.Size != s.size:
		return 0, false, nil
	}
	return a.Value.Received, a.Value.Complete, nil
}

// standing is the folder that was watched when it was looked at last.
type standing struct {
	dev, ino uint64
	since    time.Time
}

// stands tells whether the folder that is watched has been there for a while and its
// source is content with it: then a file that is missing in it was removed. Otherwise it
// may only be that a disk is not mounted.
func (c *carrier) stands(path string) bool {
	if s := c.spool.Health().State; s != triggers.Active && s != triggers.Degraded {
		c.stood = standing{}
		return false
	}
	folder := c.root
	if path == folder { // a single file is watched
		folder = filepath.Dir(folder)
	}
	info, err := os.Stat(folder)
	if err != nil {
		c.stood = standing{}
		return false
	}
	st := stampOf(info)
	if c.stood.since.IsZero() || c.stood.dev != st.dev || c.stood.ino != st.ino {
		c.stood = standing{st.dev, st.ino, time.Now()}
	}
	return time.Since(c.stood.since) >= c.steady
}
