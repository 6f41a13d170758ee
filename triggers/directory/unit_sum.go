package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// sum is the version of some files: their names, sizes and times of modification, in
// any order. Files can be added and taken away. Inodes and devices are not part of it,
// so a folder that was copied elsewhere and back is the same.
type sum struct{ hi, lo uint64 }

func sumOf(rel string, size, mtime int64) sum {
	b := make([]byte, 0, len(rel)+17)
	b = append(append(b, rel...), 0)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b = binary.BigEndian.AppendUint64(b, uint64(mtime))
	h := sha256.Sum256(b)
	return sum{binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])}
}

func (s sum) plus(o sum) sum {
	lo, carry := bits.Add64(s.lo, o.lo, 0)
	hi, _ := bits.Add64(s.hi, o.hi, carry)
	return sum{hi, lo}
}

func (s sum) minus(o sum) sum {
	lo, borrow := bits.Sub64(s.lo, o.lo, 0)
	hi, _ := bits.Sub64(s.hi, o.hi, borrow)
	return sum{hi, lo}
}

// String is the form in which sums are stored and part of event keys.
func (s sum) String() string { return fmt.Sprintf("%016x%016x", s.hi, s.lo) }

func parseSum(text string) (sum, error) {
	var s sum
	if len(text) != 32 {
		return s, fmt.Errorf("%q is not a version", text)
	}
	if _, err := fmt.Sscanf(text, "%016x%016x", &s.hi, &s.lo); err != nil {
		return s, fmt.Errorf("version %q: %w", text, err)
	}
	return s, nil
}
