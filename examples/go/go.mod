module libnnn

go 1.19
