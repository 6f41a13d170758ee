package api

import "net/http"

const (
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
)

// errStranger is the answer to who shows nothing.
var errStranger = &Error{Status: http.StatusUnauthorized, Code: codeUnauthenticated, Detail: "this door asks for a token: send it as Authorization: Bearer TOKEN; an admin makes one with: latticed token create"}
