"""Pure words: values and rules of captioning, without waiting, clocks or sockets."""
