package report

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text safe to show. White space becomes a space; every other
// byte or character that a terminal or a browser acts on instead of drawing
// it (control characters and so escape sequences, bidirectional overrides,
// invisible characters, invalid UTF-8) is written as an escape like \x1b.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError && size == 1 || r < 0x80 && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

func isClean(s string) bool {
	for _, r := range s {
		// The replacement character may stand for an invalid byte.
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Printable returns a copy of the document in which every text went through
// Clean. It walks the document by reflection, so that no field, present or
// future, is forgotten.
func (d Document) Printable() Document {
	return printable(reflect.ValueOf(d)).Interface().(Document)
}

func printable(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(Clean(v.String())).Convert(v.Type())
	case reflect.Struct:
		return printableStruct(v)
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(printable(v.Elem()))
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(printable(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(printable(it.Key()), printable(it.Value()))
		}
		return out
	}
	return v // numbers
}

func printableStruct(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() { // the parts of a time.Time are not
			out.Field(i).Set(printable(v.Field(i)))
		}
	}
	return out
}
