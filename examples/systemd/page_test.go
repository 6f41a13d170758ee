package systemd_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/latticed/latticed/docs/console"
)

var update = flag.Bool("update", false, "write what the commands print into docs/service.md")

// What the page does with make is done here by the script that make install calls,
// since the machine has no checkout and no network to build from.
const prelude = `
sudo() { "$@"; }
make() {
  case $* in
    build) test -x bin/latticed ;;
    install) scripts/install.sh ;;
    *) return 1 ;;
  esac
}
cd /root/checkout`

func TestEveryExampleOfThePageOnServicesWorks(t *testing.T) {
	const path = "../../docs/service.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := console.Parse(string(page))
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t)
	must(t, "mkdir", "-p", m.root+"/root/checkout/bin", m.root+"/root/checkout/examples")
	must(t, "cp", "-r", "../../scripts", m.root+"/root/checkout/")
	must(t, "cp", "-r", "../systemd", m.root+"/root/checkout/examples/")
	must(t, "cp", build(t, "1.0"), m.root+"/root/checkout/bin/latticed")
	m.boot()
	m.run("useradd", "ada")

	s, err := console.Start(exec.Command("nsenter", "-t", strconv.Itoa(m.leader), "-a", "env", "-i", "HOME=/root", "USER=root",
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8", "bash", "--noprofile", "--norc"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if out, exit, err := s.Run(prelude); err != nil || exit != 0 {
		t.Fatal(out, err)
	}
	var found []*console.Difference
	for _, b := range blocks {
		for _, c := range b.Commands {
			err := s.Check(c)
			var d *console.Difference
			switch {
			case err == nil:
			case errors.As(err, &d) && *update && d.Exit == c.Exit:
				found = append(found, d)
			default:
				t.Fatalf("%s: %v\n%s", path, err, m.run("journalctl", "-b", "--no-pager", "-n", "40"))
			}
		}
	}
	if len(found) > 0 {
		if err := os.WriteFile(path, []byte(console.Rewrite(string(page), found)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.quiet()
}
