# Each case compiles several programs.
foreach(test beam modes)
  rondo_test(seq2seq_${test}_test LABELS slow SOURCES seq2seq/${test}_test.cpp frontend/reference.cpp LIBS rondo_frontend)
endforeach()
rondo_test(seq2seq_output_rnn_test SOURCES seq2seq/output_rnn_test.cpp frontend/reference.cpp LIBS rondo_frontend)
