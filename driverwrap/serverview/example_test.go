package serverview_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/go-sql-driver/mysql"

	"github.com/dbleaks-go/dbleaks/driverwrap"
	"github.com/dbleaks-go/dbleaks/driverwrap/serverview"
	"github.com/dbleaks-go/dbleaks/httpdebug"
	"github.com/dbleaks-go/dbleaks/tracker"
)

var dsn = "app:secret@tcp(db1:3306)/shop"

func ExampleEnable() {
	db, err := driverwrap.Open("pgx", dsn, serverview.Enable()) // pgx tells the ids
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
}

func ExampleMySQLDialer() {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		log.Fatal(err)
	}
	cfg.DialFunc = serverview.MySQLDialer(cfg.DialFunc) // the server's greeting tells the ids
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		log.Fatal(err)
	}
	db := driverwrap.OpenDB(connector, driverwrap.WithName("shop"), serverview.Enable())
	defer db.Close()
}

func ExampleForReports() {
	mux := http.NewServeMux()
	httpdebug.Register(mux, httpdebug.WithServerView(serverview.ForReports()))
}

func ExampleLook() {
	view, err := serverview.Look(context.Background(), tracker.Default())
	fmt.Print(view) // or view.Servers, as values
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // which servers could not be asked, and why
	}
}
