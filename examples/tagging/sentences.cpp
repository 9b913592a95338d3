#include "examples/tagging/sentences.h"

#include <algorithm>

namespace {

using Words = std::vector<std::string>;

const std::vector<Words> kOpenings{
    {"he", "said", "that"}, {"she", "wrote"}, {"we", "saw", "how"}, {"yesterday"}, {}};
const Words kEither{"dear", "old", "little", "brown", "famous", "great", "funny", "tired"};
const Words kPeople{"Roosevelt", "Kennedy", "Wilson", "Smith"}, kToys{"bear", "bears", "doll", "puppet"};
const std::vector<Words> kEndings{
    {"sleeps"}, {"was", "here"}, {"fell", "down", "again"}, {"made", "us", "laugh"}};

template <class T>
const T& any_of(const std::vector<T>& choices, rondo::Random& random) {
  return choices[random.bits() % choices.size()];
}

Words all_words() {
  Words all{"Teddy", "and"};
  for (const std::vector<Words>* phrases : {&kOpenings, &kEndings})
    for (const Words& phrase : *phrases) all.insert(all.end(), phrase.begin(), phrase.end());
  for (const Words* words : {&kEither, &kPeople, &kToys}) all.insert(all.end(), words->begin(), words->end());
  return all;
}

}  // namespace

const std::vector<std::string>& vocabulary() {
  static const Words words = all_words();
  return words;
}

Sentence random_sentence(rondo::Random& random, int64_t gap) {
  Sentence s;
  auto add = [&](const std::string& word, Tag tag = kOther, bool ambiguous = false) {
    const Words& words = vocabulary();
    s.words.push_back(static_cast<int32_t>(std::find(words.begin(), words.end(), word) - words.begin()));
    s.tags.push_back(tag);
    s.ambiguous.push_back(ambiguous);
  };
  const uint64_t clauses = 1 + random.bits() % 3;
  for (uint64_t clause = 0; clause < clauses; ++clause) {
    if (clause > 0) add("and");
    for (const std::string& word : any_of(kOpenings, random)) add(word);
    const bool person = random.bits() % 2;
    const Tag tag = person ? kPerson : kToy;
    add("Teddy", tag, true);
    for (uint64_t between = random.bits() % (gap + 1); between > 0; --between) add(any_of(kEither, random));
    add(any_of(person ? kPeople : kToys, random), tag);
    for (const std::string& word : any_of(kEndings, random)) add(word);
  }
  return s;
}
