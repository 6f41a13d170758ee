package console

import (
	"fmt"
	"strconv"
	"strings"
)

// Block is a fenced block of a page.
type Block struct {
	Line     int       // of its first line in the page
	File     string    // the file it is, or empty
	Text     string    // the file's content
	Commands []Command // what it runs
}

// Command is a command with what it should do.
type Command struct {
	Line   int
	Script string
	Output []string
	Exit   int
}

// Parse returns the blocks of a page that are to be run.
func Parse(page string) ([]Block, error) {
	var blocks []Block
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		info, fence := strings.CutPrefix(lines[i], "```")
		if !fence {
			continue
		}
		start := i + 1
		for i++; i < len(lines) && lines[i] != "```"; i++ {
		}
		if i == len(lines) {
			return nil, fmt.Errorf("line %d: the block is never closed", start)
		}
		block, err := parseBlock(info, start, lines[start:i])
		if err != nil {
			return nil, err
		}
		if block.File != "" || len(block.Commands) > 0 {
			blocks = append(blocks, block)
		}
	}
	return blocks, nil
}

func parseBlock(info string, line int, body []string) (Block, error) {
	b := Block{Line: line}
	kind, attribute, _ := strings.Cut(info, " ")
	key, value, _ := strings.Cut(attribute, "=")
	switch {
	case key == "file" && value != "":
		b.File, b.Text = value, strings.Join(body, "\n")+"\n"
		return b, nil
	case kind == "text" && attribute == "":
		return b, nil
	case kind == "console" && (attribute == "" || key == "exit"):
		exit, err := strconv.Atoi("0" + value)
		if err != nil {
			return b, fmt.Errorf("line %d: %q is no exit code", line, value)
		}
		b.Commands, err = parseCommands(line, body, exit)
		return b, err
	}
	return b, fmt.Errorf("line %d: a block %q is run by no test; say console, text, or file=NAME behind its language", line, info)
}

func parseCommands(line int, body []string, exit int) ([]Command, error) {
	var commands []Command
	for i, text := range body {
		if script, ok := strings.CutPrefix(text, "$ "); ok {
			commands = append(commands, Command{Line: line + i + 1, Script: script, Exit: exit})
			continue
		}
		if len(commands) == 0 {
			return nil, fmt.Errorf("line %d: a console block begins with a command behind \"$ \"", line+i+1)
		}
		c := &commands[len(commands)-1]
		if more, ok := strings.CutPrefix(text, "> "); ok && len(c.Output) == 0 {
			c.Script += "\n" + more
			continue
		}
		c.Output = append(c.Output, text)
	}
	return commands, nil
}
