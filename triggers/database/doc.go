// Package database is the trigger kinds "sqlite" and "database".
package database
