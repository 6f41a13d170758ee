package main

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestLetGoOfProgram_its_pages_leave_memory_and_it_goes_on(t *testing.T) {
	before := fileBacked(t)
	if err := letGoOfProgram(); err != nil {
		t.Fatal(err)
	}
	if after := fileBacked(t); after > before/2 {
		t.Errorf("%d kB of files are in memory, and were %d kB", after, before)
	}
	if err := newRoot(&cli{stdout: t.Output(), stderr: t.Output()}).Help(); err != nil {
		t.Error(err)
	}
}

func TestCleanMappings(t *testing.T) {
	const program = "/usr/local/bin/latticed"
	for name, test := range map[string]struct {
		smaps string
		want  []mapping
	}{
		"code and constants": {
			"00400000-01394000 r-xp 00000000 fe:00 17 " + program + "\nRss: 8 kB\nAnonymous:             0 kB\nSwap:                  0 kB\nSwapPss: 0 kB\nVmFlags: rd ex\n" +
				"01394000-023f9000 r--p 00f94000 fe:00 17 " + program + "\nAnonymous:             0 kB\nSwap:                  0 kB\n",
			[]mapping{{0x400000, 0x1394000}, {0x1394000, 0x23f9000}},
		},
		"what was relocated stays":      {"01394000-023f9000 r--p 00f94000 fe:00 17 " + program + "\nAnonymous:             4 kB\nSwap:                  0 kB\n", nil},
		"what can be written stays":     {"01394000-023f9000 rw-p 00f94000 fe:00 17 " + program + "\nAnonymous:             0 kB\nSwap:                  0 kB\n", nil},
		"what is shared stays":          {"01394000-023f9000 r--s 00f94000 fe:00 17 " + program + "\nAnonymous:             0 kB\nSwap:                  0 kB\n", nil},
		"another file stays":            {"01394000-023f9000 r--p 00f94000 fe:00 17 /usr/lib" + program + "\nAnonymous:             0 kB\nSwap:                  0 kB\n", nil},
		"what follows the program":      {"00400000-01394000 r-xp 0 fe:00 17 " + program + "\n01394000-023f9000 r--p 0 00:00 0\nAnonymous: 0 kB\nSwap: 0 kB\n", nil},
		"nothing is known of anonymous": {"00400000-01394000 r-xp 00000000 fe:00 17 " + program + "\nRss: 8 kB\nSwap: 0 kB\n", nil},
		"nothing is known of the swap":  {"00400000-01394000 r-xp 00000000 fe:00 17 " + program + "\nAnonymous: 0 kB\n", nil},
		"what was swapped out stays":    {"01394000-023f9000 r--p 00f94000 fe:00 17 " + program + "\nAnonymous:             0 kB\nSwap:                  4 kB\nSwapPss: 0 kB\n", nil},
		"a file that was replaced": {
			"00400000-01394000 r-xp 0 fe:00 17 " + program + " (deleted)\nAnonymous: 0 kB\nSwap: 0 kB\n", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cleanMappings(strings.NewReader(test.smaps), program)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
}

// fileBacked is how much of files is mapped and in memory, in kB.
func fileBacked(t *testing.T) int {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssFile:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatal("no RssFile in /proc/self/status")
	return 0
}
