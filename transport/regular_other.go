//go:build !unix

package transport

import "os"

// openRegular opens a regular file for reading, and nothing else: a link is not followed, which is looked at before and
// after, since no flag says so here. The error is errNoFile for what is none.
func openRegular(path string) (*os.File, error) {
	before, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, errNoFile
	}
	return regular(f)
}
