package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// EncodeJSON writes the document as indented JSON that is safe to show; see
// [SafeJSON].
func (d Document) EncodeJSON() ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(SafeJSON(data), '\n'), nil
}

// SafeJSON returns the same JSON value with every character in it escaped
// that a terminal acts on instead of drawing it; data must be valid JSON.
// Such characters are in strings only, where an escape means the same.
func SafeJSON(data []byte) []byte {
	var b bytes.Buffer
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r != utf8.RuneError && unicode.IsPrint(r):
			b.Write(data[:size])
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		data = data[size:]
	}
	return b.Bytes()
}
