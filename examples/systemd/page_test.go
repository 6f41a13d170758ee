package systemd_test

import (
	"flag"
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
cd /srv/checkout`

func TestEveryExampleOfThePageOnServicesWorks(t *testing.T) {
	m := newMachine(t)
	checkout := m.root + "/srv/checkout"
	must(t, "mkdir", "-p", checkout+"/bin", checkout+"/examples")
	must(t, "cp", "-r", "../../scripts", checkout)
	must(t, "cp", "-r", "../systemd", "../polyfit", checkout+"/examples")
	must(t, "cp", build(t, "1.0"), checkout+"/bin/latticed")
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
	if err := s.Play("../../docs/service.md", *update); err != nil {
		t.Fatal(err)
	}
	m.quiet()
}
