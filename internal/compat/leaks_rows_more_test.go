package compat

import (
	"errors"
	"fmt"
)

// twoResults makes two result sets.
func (b *backend) twoResults() string {
	if b == mysqlBackend {
		return "BEGIN NOT ATOMIC SELECT id FROM item; SELECT name FROM item; END"
	}
	return "SELECT id FROM item; SELECT name FROM item"
}

func secondResultSet(a *app) error {
	rows, err := a.db.Query(a.twoResults()) // place: second result set
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

func rowWithoutScan(a *app) error {
	row := a.db.QueryRow(a.bind("SELECT name FROM item WHERE id = ?"), 7) // place: row without scan
	return row.Err()
}

func queryRowAsExec(a *app) error {
	a.db.QueryRow("UPDATE item SET price = price WHERE id < 0") // place: query row as exec
	return nil
}

func closedOverRows(a *app) error {
	rows, err := a.db.Query("SELECT id FROM item") // place: db closed over rows
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(rows.Err(), a.db.Close())
}

func rowsOfKilledSession(a *app) error {
	rows, err := a.db.Query(a.session + ", id FROM item") // place: rows of a killed session
	if err != nil {
		return err
	}
	var session, id int
	if rows.Next(); rows.Scan(&session, &id) != nil {
		return fmt.Errorf("the session: %w", rows.Err())
	}
	a.killSession(session)
	return nil
}
