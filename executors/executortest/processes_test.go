package executortest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

func TestEnd_kills_what_belongs_to_a_directory_and_nothing_else(t *testing.T) {
	dir := t.TempDir()
	start := func(in string, env []string, words ...string) *exec.Cmd {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir, cmd.Env = in, env
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	mine := []*exec.Cmd{
		start(dir, nil, "sleep", "61"),
		start("/", nil, "sh", "-c", "sleep 61; : "+filepath.Join(dir, "x")),
		start("/", []string{"RESULT=" + dir + "/r"}, "/bin/sleep", "61"),
	}
	other := start("/", []string{"RESULT=" + dir + "2/r"}, "/bin/sleep", "61") // of a neighbour
	eventually(t, "they are seen", func() bool {
		ps, err := Processes(dir)
		return err == nil && len(ps) >= len(mine)
	})
	if err := End(dir); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range mine {
		if alive(cmd.Process.Pid) {
			t.Errorf("%s is alive", cmd)
		}
	}
	if !alive(other.Process.Pid) {
		t.Error("another one was killed")
	}
}
