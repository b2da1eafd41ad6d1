package ticklog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A file is added to until it is full, and then begun anew.
type file struct {
	path       string
	most, size int64
	file       *os.File
}

// earlier is where a full file goes.
func earlier(path string) string { return path + ".1" }

func openFile(path string, most int64) (*file, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("expected a file, or - for the standard output, got %s", path)
	}
	f := &file{path: path, most: most}
	return f, f.open()
}

// open begins with an empty line where something is there already: whoever wrote it may have been cut off.
func (f *file) open() (err error) {
	if f.file, err = os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if f.size = info.Size(); f.size > 0 {
		return f.add([]byte("\n"))
	}
	return nil
}

// Write adds a line. After one that failed it begins with an empty one, as a part of that may be there.
func (f *file) Write(line []byte) (int, error) {
	if f.file != nil && f.size > 0 && f.size+int64(len(line)) > f.most {
		if err := os.Rename(f.path, earlier(f.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		f.close()
	}
	if f.file == nil {
		if err := f.open(); err != nil {
			f.close()
			return 0, err
		}
	}
	if err := f.add(line); err != nil {
		f.close()
		return 0, err
	}
	return len(line), nil
}

func (f *file) add(text []byte) error {
	n, err := f.file.Write(text)
	f.size += int64(n)
	return err
}

func (f *file) close() {
	if f.file != nil {
		f.file.Close() // every line has been handed to the system already
		f.file = nil
	}
}
