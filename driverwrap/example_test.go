package driverwrap_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/internal/nopdriver"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var dsn = "app:secret@tcp(db1:3306)/shop"

func ExampleOpen() {
	db, err := driverwrap.Open("mysql", dsn) // was: sql.Open("mysql", dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}

func ExampleOpenDB() {
	connector, err := mysql.NewConnector(mysql.NewConfig())
	if err != nil {
		log.Fatal(err)
	}
	db := driverwrap.OpenDB(connector, driverwrap.WithName("shop")) // was: sql.OpenDB(connector)
	defer db.Close()
}

func ExampleRegister() {
	// Once per process, for a library that takes the name of a driver:
	driverwrap.Register("mysql-watched", &mysql.MySQLDriver{})

	// gorm:  gorm.Open(gormmysql.New(gormmysql.Config{DriverName: "mysql-watched", DSN: dsn}))
	// sqlx:  sqlx.BindDriver("mysql-watched", sqlx.QUESTION); sqlx.Open("mysql-watched", dsn)
	// xorm:  xorm.NewEngineWithDB("mysql", dsn, core.FromDB(db))
	db, err := sql.Open("mysql-watched", dsn)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}

func ExampleUnwrap() {
	db := driverwrap.OpenDB(&nopdriver.Connector{})
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(dc any) error {
		own := driverwrap.Unwrap(dc) // e.g. driverwrap.Unwrap(dc).(*stdlib.Conn)
		fmt.Printf("%T\n", own)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: *nopdriver.conn
}

func ExampleBare() {
	db := driverwrap.OpenDB(&nopdriver.Connector{})
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	// limit stands for a function of the driver's, which knows its own
	// connections only, such as Limit of modernc.org/sqlite.
	limit := func(conn *sql.Conn) error {
		return conn.Raw(func(dc any) error {
			fmt.Printf("%T\n", dc)
			return nil
		})
	}
	if err := driverwrap.Bare(conn, limit); err != nil { // was: limit(conn)
		log.Fatal(err)
	}
	// Output: *nopdriver.conn
}

func ExampleWithTracker() {
	jobs, err := tracker.New()
	if err != nil {
		log.Fatal(err)
	}
	db, err := driverwrap.Open("mysql", dsn, driverwrap.WithTracker(jobs))
	if err != nil {
		log.Fatal(err)
	}
	db.Close()
	fmt.Print(jobs.Close()) // what was never given back: nothing here
	// Output:
}
