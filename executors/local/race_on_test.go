//go:build race

package local

// raceDetector tells that this program is built to find races, which takes memory.
const raceDetector = true
