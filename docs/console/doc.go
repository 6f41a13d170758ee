// Package console runs the examples of a Markdown page, so that the page stays true.
//
// Every fenced block of a page says what it is in its first line:
//
//	```console             commands behind "$ ", each followed by what it prints
//	```console exit=4      the same, and every command ends with this code
//	```yaml file=a.yaml    a file, written into the directory the commands run in
//	```text                nothing to run
//
// Another kind of block is an error: it would be an example that no test runs. A
// command goes on in lines that begin with "> ". In what it prints, a line of "..."
// stands for any number of lines and "..." within a line for any text; ids, instants
// and measured times may differ, and so may the number of spaces.
//
// Commands that only look are repeated until they print what the page says, since
// a reader, too, is slower than the daemon.
package console
