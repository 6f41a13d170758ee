package runner

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// baseEnv is the environment every attempt starts from: nothing of the runner's own
// leaks into it but the time zone.
func baseEnv() []string {
	name, home, shell := account()
	env := []string{
		"PATH=" + defaultPath,
		"HOME=" + home,
		"USER=" + name,
		"LOGNAME=" + name,
		"SHELL=" + shell,
		"LANG=C.UTF-8",
		"TMPDIR=" + os.TempDir(),
	}
	if tz := zone(); tz != "" {
		env = append(env, "TZ="+tz)
	}
	return env
}

// account looks the user up in /etc/passwd; users of a directory service aren't
// there, so the runner's own environment is asked then.
func account() (name, home, shell string) {
	b, err := os.ReadFile("/etc/passwd")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
			if len(f) == 7 && f[2] == strconv.Itoa(os.Getuid()) {
				return f[0], f[5], orElse(f[6], "/bin/sh")
			}
		}
	}
	name = os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return orElse(name, strconv.Itoa(os.Getuid())), orElse(os.Getenv("HOME"), "/"), orElse(os.Getenv("SHELL"), "/bin/sh")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func zone() string {
	if tz := os.Getenv("TZ"); tz != "" {
		return tz
	}
	target, err := filepath.EvalSymlinks("/etc/localtime")
	if err != nil {
		return ""
	}
	_, name, _ := strings.Cut(target, "/zoneinfo/")
	return name
}

// mergeEnv lays over on base and takes the names of unset away.
func mergeEnv(base, over, unset []string) []string {
	env := make([]string, 0, len(base)+len(over))
	drop := func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		for _, o := range over {
			if len(o) > len(name) && o[len(name)] == '=' && o[:len(name)] == name {
				return true
			}
		}
		for _, u := range unset {
			if u == name {
				return true
			}
		}
		return false
	}
	for _, e := range base {
		if !drop(e) {
			env = append(env, e)
		}
	}
	return append(env, over...)
}

func lookupEnv(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}
