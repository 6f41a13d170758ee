package directory

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseManifest(t *testing.T) {
	md5, sha := strings.Repeat("0a", 16), strings.Repeat("F1", 32)
	for name, c := range map[string]struct {
		content, dir, want string
	}{
		"one_name_in_a_line":                 {"a.bam\nb.bam\n", "", "a.bam b.bam"},
		"comments_and_empty_lines":           {"# files\n\n  a.bam  \r\n#b\n", "", "a.bam"},
		"sha256sum_and_md5sum":               {sha + "  a.bam\n" + md5 + " *sub/b.bam\n", "", "a.bam sub/b.bam"},
		"names_with_spaces":                  {md5 + "  a b.bam\nc d.bam", "", "a b.bam c d.bam"},
		"escaped_names":                      {`\` + md5 + `  a\\b`, "", `a\b`},
		"the_form_of_bsd":                    {"SHA256 (a (1).bam) = " + sha, "", "a (1).bam"},
		"a_byte_order_mark":                  {"\xef\xbb\xbfa.bam", "", "a.bam"},
		"relative_to_its_own_folder":         {"./a.bam\n../b.bam", "sums", "sums/a.bam b.bam"},
		"a_hash_of_unknown_length_is_a_name": {"abc  a.bam", "", "abc  a.bam"},
		"nothing":                            {"# none\n", "", "lists no files"},
		"a_name_outside":                     {"a\n../b", "", `line 2 names "../b", which is outside of the folder`},
		"a_name_outside_in_disguise":         {"sub/../../b", "", `line 1 names "sub/../../b", which is outside of the folder`},
		"an_absolute_name":                   {"/etc/passwd", "", `line 1 names "/etc/passwd", which is outside of the folder`},
		"too_large":                          {strings.Repeat("x", maxManifest+1), "", "has more than 1048576 bytes"},
		"too_many":                           {strings.Repeat("x\n", maxManifestNames+1), "", "lists more than 100000 files"},
	} {
		t.Run(name, func(t *testing.T) {
			names, err := parseManifest([]byte(c.content), c.dir)
			got := strings.Join(names, " ")
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	there := map[string]bool{"a": true, "sub/b": true, "sub/deep/c": true}
	for name, want := range map[string]int{"a": 0, "sub/b": 0, `sub\b`: 0, "sub": 0, "sub/deep": 0, "b": 1, "su": 1} {
		if _, n := absent([]string{name}, there); n != want {
			t.Errorf("%s: %d", name, n)
		}
	}
	if first, n := absent([]string{"a", "x", "y"}, there); first != "x" || n != 2 {
		t.Error(first, n)
	}
}

// FuzzParseManifest looks for names that lead out of the unit, and for panics.
func FuzzParseManifest(f *testing.F) {
	for _, seed := range []string{"a\nb\n", "d41d8cd98f00b204e9800998ecf8427e  ../x", `\d41d8cd98f00b204e9800998ecf8427e *a\n/../../b`, "..", "/", "MD5 (..) = d41d8cd98f00b204e9800998ecf8427e"} {
		f.Add([]byte(seed), "sums")
	}
	f.Fuzz(func(t *testing.T, content []byte, dir string) {
		if dir = path.Clean(dir); path.IsAbs(dir) || strings.HasPrefix(dir, "..") {
			return
		}
		names, err := parseManifest(content, dir)
		if err != nil {
			return
		}
		for _, name := range names {
			if path.IsAbs(name) || name != path.Clean(name) || slices.Contains(strings.Split(name, "/"), "..") {
				t.Errorf("%q", name)
			}
		}
		absent(names, map[string]bool{"a": true})
	})
}

// A server of files for Windows machines may hold a lease on what they write: to open
// that takes up to a minute, in which nothing may spin.
func TestReadStrictly_does_not_wait_for_who_holds_a_lease(t *testing.T) {
	dir := t.TempDir()
	f, err := os.OpenFile(dir+"/MD5SUMS", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := readStrictly(dir, "MD5SUMS", 10)
		done <- err
	}()
	select {
	case err = <-done:
		if !errors.Is(err, unix.EAGAIN) {
			t.Error(err)
		}
		f.Close()
	case <-time.After(5 * time.Second):
		t.Error("it waits")
		f.Close()
		<-done
	}
	if _, err := readStrictly(dir, "MD5SUMS", 10); err != nil {
		t.Error(err)
	}
}
