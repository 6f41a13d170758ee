package store

const childDir = "LATTICED_STORE_TEST_CHILD"

func childMain(string) int { return 0 }
