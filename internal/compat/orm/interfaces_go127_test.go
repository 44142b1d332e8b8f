//go:build go1.27

package orm

import "database/sql/driver"

func init() {
	optional["rows"] = append(optional["rows"], iface{"RowsColumnScanner", has[driver.RowsColumnScanner], true})
}
