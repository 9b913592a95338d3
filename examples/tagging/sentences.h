// Generated sentences about people and toys named Teddy: which one is told by a later word only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/init.h"

enum Tag : int32_t { kOther, kPerson, kToy };
inline constexpr int64_t kTags = 3;

struct Sentence {
  std::vector<int32_t> words, tags;
  std::vector<bool> ambiguous;  // nothing up to this word tells its tag
};

/// The words of all sentences; ids are places here.
const std::vector<std::string>& vocabulary();

/// One to three clauses, joined by "and": opening, Teddy, up to `gap` words that fit a person as well as a
/// toy, the word that tells, and what it does: "we saw that Teddy , the dear old bear , sleeps".
Sentence random_sentence(rondo::Random& random, int64_t gap);
