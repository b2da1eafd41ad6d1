package ticklog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// longestLine is about a hundred thousand pods.
const longestLine = 16 << 20

// ReadFile visits the lines of a log, those that were moved out of its way first,
// and returns how many lines are none of it: the last that was cut off, and what
// else a program has written between them.
func ReadFile(path string, visit func(Line)) (foreign int, err error) {
	for _, part := range []string{earlier(path), path} {
		f, err := os.Open(part)
		if part != path && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return foreign, fmt.Errorf("tick log: %w", err)
		}
		n, err := Read(f, visit)
		f.Close()
		foreign += n
		if err != nil {
			return foreign, fmt.Errorf("tick log %s: %w", part, err)
		}
	}
	return foreign, nil
}

// Read visits the lines of a log, and returns how many lines are none of it. It
// holds one at a time. Lines of another version than this one are an error.
func Read(r io.Reader, visit func(Line)) (foreign int, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	number := 0
	for lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		var l Line
		if err := json.Unmarshal(text, &l); err != nil || l.Version == "" || l.Scaler == "" {
			foreign++
			continue
		}
		if l.Version != Version {
			return foreign, fmt.Errorf("line %d: expected version %s, got %.20q: read it with the cusme that wrote it", number, Version, l.Version)
		}
		visit(l)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return foreign, fmt.Errorf("line %d: expected at most %d MiB, got more", number+1, longestLine>>20)
	}
	if err := lines.Err(); err != nil {
		return foreign, fmt.Errorf("after line %d: %w", number, err)
	}
	return foreign, nil
}
