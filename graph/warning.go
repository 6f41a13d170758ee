package graph

// Warning is said beside a success: something the user should know.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
