package main

import "database/sql"

// operation is what a contender is measured at.
type operation struct {
	name string
	// unit is what the cost is given for, and per how many of them one run
	// does.
	unit string
	per  int
	run  func(db *sql.DB) error
}

// scanned is the number of rows that one scan reads.
const scanned = 1000

var operations = []operation{
	{"Query", "Query+Next+Close", 1, query},
	{"QueryRow", "QueryRow+Scan", 1, queryRow},
	{"Exec", "Exec", 1, execute},
	{"BeginCommit", "BeginTx+Commit", 1, beginCommit},
	{"PrepareClose", "Prepare+Close", 1, prepareClose},
	{"Scan", "scanned row", scanned, scan},
}

func query(db *sql.DB) error {
	rows, err := db.Query("SELECT n FROM item")
	if err != nil {
		return err
	}
	rows.Next()
	return rows.Close()
}

func queryRow(db *sql.DB) error {
	var n int
	return db.QueryRow("SELECT n FROM item").Scan(&n)
}

func execute(db *sql.DB) error {
	_, err := db.Exec("UPDATE item SET n = 0")
	return err
}

func beginCommit(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	return tx.Commit()
}

func prepareClose(db *sql.DB) error {
	stmt, err := db.Prepare("SELECT n FROM item")
	if err != nil {
		return err
	}
	return stmt.Close()
}

func scan(db *sql.DB) error {
	rows, err := db.Query("rows 1000")
	if err != nil {
		return err
	}
	for n := 0; rows.Next(); {
		if err := rows.Scan(&n); err != nil {
			return err
		}
	}
	return rows.Close()
}
