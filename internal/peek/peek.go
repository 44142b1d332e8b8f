// Package peek reads fields of other packages' values. Drivers keep in fields
// what they give away by no method, and importing them is out of the question.
package peek

import "reflect"

// Field follows names of fields, through pointers. The zero Value, which is of no
// kind, stands for a field that isn't there.
func Field(v any, names ...string) reflect.Value {
	f := reflect.ValueOf(v)
	for _, name := range names {
		if f = reflect.Indirect(f); f.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		at, ok := f.Type().FieldByName(name)
		if !ok {
			return reflect.Value{}
		}
		var err error
		if f, err = f.FieldByIndexErr(at.Index); err != nil { // in what is nil
			return reflect.Value{}
		}
	}
	return f
}
