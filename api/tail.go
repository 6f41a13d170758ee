package api

import "io"

// seekTail puts f where its last n lines begin.
func seekTail(f io.ReadSeeker, n int) error {
	const block = 32 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	buf := make([]byte, block)
	lines := 0
	for at := end; at > 0; {
		size := min(at, block)
		at -= size
		if _, err := f.Seek(at, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.ReadFull(f, buf[:size]); err != nil {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			if buf[i] != '\n' || at+i == end-1 { // the last line's own end begins none
				continue
			}
			if lines++; lines == n {
				_, err := f.Seek(at+i+1, io.SeekStart)
				return err
			}
		}
	}
	if n == 0 {
		_, err = f.Seek(end, io.SeekStart)
	} else {
		_, err = f.Seek(0, io.SeekStart)
	}
	return err
}
