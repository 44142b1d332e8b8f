package main

import (
	"fmt"
	"strings"
)

const productCount = 60

// schema returns the statements that make the shop's tables and stock. They
// are the same for every database but for the type of a column that numbers
// itself.
func schema(autoID string) []string {
	return []string{
		`CREATE TABLE products (id ` + autoID + `, sku VARCHAR(20) NOT NULL, name VARCHAR(100) NOT NULL,
			description VARCHAR(200), price_cents INTEGER NOT NULL, stock INTEGER NOT NULL)`,
		`CREATE TABLE customers (id ` + autoID + `, name VARCHAR(100) NOT NULL, blocked BOOLEAN NOT NULL)`,
		`CREATE TABLE orders (id ` + autoID + `, customer_id INTEGER NOT NULL)`,
		`CREATE TABLE order_lines (id ` + autoID + `, order_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
			quantity INTEGER NOT NULL)`,
		`CREATE INDEX order_lines_by_order ON order_lines (order_id)`,
		`CREATE INDEX orders_by_customer ON orders (customer_id)`,
		`CREATE TABLE counters (name VARCHAR(20) NOT NULL, n INTEGER NOT NULL)`,
		products(),
		`INSERT INTO customers (name, blocked) VALUES
			('Ada', FALSE), ('Barbara', FALSE), ('Grace', FALSE), ('Margaret', FALSE), ('Mallory', TRUE)`,
		`INSERT INTO orders (customer_id) VALUES (1), (2)`,
		`INSERT INTO order_lines (order_id, product_id, quantity) VALUES
			(1, 1, 1), (1, 2, 2), (1, 3, 1), (2, 4, 12), (2, 5, 1)`,
		`INSERT INTO counters (name, n) VALUES ('newsletter', 0)`,
	}
}

// products fills the shelves. Some products are there to bring out a bug:
// number 9 has no description, number 13 is sold out.
func products() string {
	colours := []string{"red", "blue", "green", "yellow", "grey", "white"}
	things := []string{"bucket", "mop", "hose", "tap", "basin", "towel", "gasket", "pipe", "washer", "drain"}
	var rows []string
	for id := 1; id <= productCount; id++ {
		name := colours[id%len(colours)] + " " + things[id%len(things)]
		description, stock := "'a "+name+"'", 1_000_000
		switch id {
		case 9:
			description = "NULL"
		case 13:
			stock = 0
		}
		rows = append(rows, fmt.Sprintf("('P%03d', '%s', %s, %d, %d)", id, name, description, 100+id*37, stock))
	}
	return "INSERT INTO products (sku, name, description, price_cents, stock) VALUES " + strings.Join(rows, ",\n")
}
